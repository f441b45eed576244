"""The command that replaces `worker.ml.train` in the fault tests; see `tests.faults.nursery`."""

import os
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(os.environ["NURSERY"])
socket.send_fds(connection, [sys.argv[1].encode()], [0, 1, 2])
# The training process owns the pipes now. Close our copies, so that readers see when its end closes.
os.close(0)
os.close(1)
answer = connection.recv(100)
sys.exit(0 if answer == b"0" else 1)
