# Starts a server that is a Python module with no option for a free port: it listens on loopback only, on free ports, says
# which ("listening ASKED ACTUAL"), and ends with whoever holds its standard input. The counterpart of loopback.cjs.
import os
import runpy
import socket
import sys
import threading

bind = socket.socket.bind
listen = socket.socket.listen
asked = {}


def on_loopback(self, address):
    if self.family != socket.AF_INET:
        raise OSError("only 127.0.0.1 is listened on")
    asked[self.fileno()] = address[1]
    return bind(self, ("127.0.0.1", 0))


def and_say(self, *backlog):
    listening = listen(self, *backlog)
    print("listening", asked.pop(self.fileno(), 0), self.getsockname()[1], flush=True)
    return listening


def end_with_input():
    sys.stdin.buffer.read()
    os._exit(0)


socket.socket.bind = on_loopback
socket.socket.listen = and_say
threading.Thread(target=end_with_input, daemon=True).start()
module = sys.argv[1]
sys.argv = [module]
runpy.run_module(module, run_name="__main__", alter_sys=True)
