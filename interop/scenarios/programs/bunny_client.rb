# URL QUEUE: publishes three messages with confirms, and prints what is delivered.
require "bunny"

connection = Bunny.new(ARGV[0], automatically_recover: false).start
channel = connection.create_channel
channel.confirm_select
channel.prefetch(1)
queue = channel.queue(ARGV[1], durable: true, arguments: { "x-max-length" => 10 })
%w[one two three].each { |body| queue.publish(body, persistent: true, headers: { "n" => body.size }) }
abort "not confirmed" unless channel.wait_for_confirms
done = Queue.new
queue.subscribe(manual_ack: true) do |delivery, properties, body|
  puts "#{body} #{properties.headers["n"]}"
  channel.ack(delivery.delivery_tag)
  done << true if body == "three"
end
done.pop
begin
  channel.queue_declare(ARGV[1], durable: false)
rescue Bunny::PreconditionFailed => error
  puts error.channel_close.reply_code
end
connection.close
