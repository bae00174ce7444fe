"""Configuration: one table of settings, and the places that may set them.

`settings` has the table, `load` asks each place and says where every value came from: options, the environment,
leveret.toml, rabbitmq.conf, defaults, in this order. Nothing here knows what a setting does.
"""
