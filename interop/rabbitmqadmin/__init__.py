"""RabbitMQ's rabbitmqadmin, the Python program of RabbitMQ 3.x, and what it asks and prints.

`script` says which commands are given, `canned` what an HTTP API answers to them, `recorded.txt` what rabbitmqadmin
3.10.8 asked and printed:

    python -m interop.rabbitmqadmin        gives the commands, and writes recorded.txt anew

tests/cli/admin/test_first.py gives the same commands to `leveret admin`, test_script.py here to rabbitmqadmin again.
"""
