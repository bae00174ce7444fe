"""Metrics for Prometheus, with RabbitMQ's names, types, labels and help texts, so that its dashboards work unchanged.

`exposition` is the text format, `measured` what is measured; `objects`, `totals` and `memory` say which metrics there
are, `endpoints` which of them an address has, and `app` answers HTTP.
"""
