"""An operator's commands, as rabbitmqctl answers them.

`script` says which are given, `recorded.txt` what rabbitmqctl 3.10.8 printed:

    python -m interop.rabbitmqctl        starts a RabbitMQ, gives the commands, and writes recorded.txt anew

tests/cli/test_operator.py gives the same commands to `leveret`, and test_script.py here to rabbitmqctl again.
"""
