"""The permission matrix: each method against each right, as RabbitMQ answers it.

`cases` says what is tried and under which permissions, `recorded.txt` what RabbitMQ 3.10.8 answered:

    python -m interop.permissions        starts a RabbitMQ, asks it, and writes recorded.txt anew (two minutes)

tests/features/test_permissions.py holds Leveret to it, and test_matrix.py here any broker under test.
"""
