"""A command that is killed, as by SIGKILL, in the middle of its first deletion of weights: before or after the file."""

KILLED_BETWEEN = """
import os, signal, sys
from search.results import weights

delete = weights.delete_checkpoint

def killed(client, run):
    if "{when}" == "after":
        delete(client, run)
    os.kill(os.getpid(), signal.SIGKILL)

weights.delete_checkpoint = killed
from search.cli import main
main(sys.argv[1:])
"""
