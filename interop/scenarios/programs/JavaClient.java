// URL QUEUE: publishes three messages with confirms, and prints what is delivered.
import com.rabbitmq.client.*;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

class JavaClient {
    public static void main(String[] arguments) throws Exception {
        var factory = new ConnectionFactory();
        factory.setUri(arguments[0]);
        var queue = arguments[1];
        try (var connection = factory.newConnection()) {
            var channel = connection.createChannel();
            channel.confirmSelect();
            channel.basicQos(1);
            channel.queueDeclare(queue, true, false, false, Map.of("x-max-length", 10));
            for (var body : new String[] {"one", "two", "three"}) {
                var headers = Map.<String, Object>of("n", body.length());
                var properties = new AMQP.BasicProperties.Builder().deliveryMode(2).headers(headers).build();
                channel.basicPublish("", queue, properties, body.getBytes());
            }
            channel.waitForConfirmsOrDie(10_000);
            var left = new CountDownLatch(3);
            channel.basicConsume(queue, false, new DefaultConsumer(channel) {
                @Override
                public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
                        throws java.io.IOException {
                    System.out.println(new String(body) + " " + properties.getHeaders().get("n"));
                    channel.basicAck(envelope.getDeliveryTag(), false);
                    left.countDown();
                }
            });
            left.await();
            try {
                channel.queueDeclare(queue, false, false, false, null);
            } catch (java.io.IOException error) {
                var reason = ((ShutdownSignalException) error.getCause()).getReason();
                System.out.println(((AMQP.Channel.Close) reason).getReplyCode());
            }
        }
    }
}
