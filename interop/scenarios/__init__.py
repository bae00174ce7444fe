"""Scenarios: what stock client libraries do with a broker, seen from the application's side.

Every test takes its broker from the fixture `broker_url` and passes on a real RabbitMQ too. They wait for events with a
deadline, never for a length of time; two heartbeat tests are the exception, for there the time is the point.
"""
