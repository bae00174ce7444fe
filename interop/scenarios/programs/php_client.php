<?php
// URL QUEUE: publishes three messages with confirms, and prints what is delivered.
require 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

$url = parse_url($argv[1]);
$vhost = urldecode(substr($url['path'], 1));
$connection = new AMQPStreamConnection($url['host'], $url['port'], $url['user'], $url['pass'], $vhost);
$channel = $connection->channel();
$channel->confirm_select();
$channel->basic_qos(null, 1, null);
$channel->queue_declare($argv[2], false, true, false, false, false, new AMQPTable(['x-max-length' => 10]));
foreach (['one', 'two', 'three'] as $body) {
    $headers = new AMQPTable(['n' => strlen($body)]);
    $channel->basic_publish(
        new AMQPMessage($body, ['delivery_mode' => 2, 'application_headers' => $headers]), '', $argv[2]
    );
}
$channel->wait_for_pending_acks(10);
$left = 3;
$channel->basic_consume($argv[2], '', false, false, false, false, function ($message) use (&$left) {
    echo $message->getBody(), ' ', $message->get('application_headers')->getNativeData()['n'], "\n";
    $message->ack();
    $left--;
});
while ($left) {
    $channel->wait(null, false, 10);
}
try {
    $channel->queue_declare($argv[2], false, false, false, false);
} catch (AMQPProtocolChannelException $error) {
    echo $error->getCode(), "\n";
}
$connection->close();
