"""Programs that reach for the host: files, network, processes, raw memory."""

from tests.hostile.program import (
    EXITED,
    FUEL,
    MEMORY,
    NO_VALUE,
    RAISED,
    REPLY_FD,
    RETURNED,
    TRAPPED,
    Program,
)

PROGRAMS = [
    Program(
        "open_passwd",
        "def f(): return open('/etc/passwd').read()",
        {RAISED},
    ),
    Program(
        "open_relative",
        "def f(): return open('../../../etc/passwd').read()",
        {RAISED},
    ),
    Program(
        "open_proc",
        "def f(): return open('/proc/self/environ').read()",
        {RAISED},
    ),
    Program(
        "write_file",
        "def f(): open('/tmp/x', 'w').write('x')",
        {RETURNED},
    ),
    Program(
        "write_zip",
        "def f(): open('/usr/local/lib/python315.zip', 'r+b').write(b'x')",
        {RAISED},
    ),
    Program(
        "listdir",
        "import os\ndef f(): return os.listdir('/')",
        {RAISED, RETURNED},
    ),
    Program(
        "environ",
        "import os\ndef f(): return 'SECRET' in repr(os.environ)",
        {RETURNED},
    ),
    Program(
        "socket",
        "import socket\ndef f(): socket.create_connection(('127.0.0.1', 80))",
        {RAISED},
    ),
    Program(
        "subprocess",
        "import subprocess\ndef f(): return subprocess.run(['ls'])",
        {RAISED},
    ),
    Program(
        "system",
        "import os\ndef f(): return os.system('ls')",
        {RAISED},
    ),
    Program(
        "fork",
        "import os\ndef f(): return os.fork()",
        {RAISED},
    ),
    Program(
        "execv",
        "import os\ndef f(): os.execv('/bin/sh', ['sh'])",
        {RAISED},
    ),
    Program(
        "thread",
        "import threading\ndef f(): threading.Thread(target=print).start()",
        {RAISED},
    ),
    Program(
        "multiprocessing",
        "import multiprocessing\ndef f(): multiprocessing.Process().start()",
        {RAISED},
    ),
    Program(
        "ctypes_read",
        "import ctypes\ndef f(): return ctypes.string_at(0)",
        {RAISED},
    ),
    Program(
        "segfault",
        "import faulthandler\ndef f(): faulthandler._sigsegv()",
        {RAISED, RETURNED, TRAPPED},
    ),
    Program(
        "bad_bytecode",
        "def f():\n"
        "    c = (lambda: 1).__code__\n"
        "    return eval(c.replace(co_code=bytes([255, 255] * 50)))",
        {FUEL, MEMORY, NO_VALUE, RAISED, RETURNED, TRAPPED},
    ),
    Program(
        "bad_marshal",
        "import marshal\ndef f(): return marshal.loads(b'c' + b'\\xff' * 100)",
        {MEMORY, RAISED, TRAPPED},
    ),
    Program(
        "wild_memory",
        "def f():\n"
        "    c = (lambda: 1).__code__\n"
        "    return eval(c.replace(co_consts=(), co_code=c.co_code[:2] + bytes([82, 250]) * 40))",
        {FUEL, MEMORY, NO_VALUE, RAISED, RETURNED, TRAPPED},
    ),
    Program(
        "kill",
        "import os\ndef f(): os.kill(os.getpid(), 9)",
        {EXITED, RAISED, TRAPPED},
    ),
    Program(
        "signal",
        "import signal\ndef f(): signal.raise_signal(9)",
        {EXITED, RAISED, TRAPPED},
    ),
    Program(
        "symlink",
        "import os\ndef f(): os.symlink('/etc/passwd', 'x')",
        {RAISED},
    ),
    Program(
        "rename",
        "import os\ndef f(): os.rename('/usr/local/lib/python315.zip', 'x')",
        {RAISED},
    ),
    Program(
        "unlink",
        "import os\ndef f(): os.unlink('/usr/local/lib/python315.zip')",
        {RAISED},
    ),
    Program(
        "dup_reply",
        f"import os\ndef f(): return os.read({REPLY_FD}, 100)",
        {RAISED},
    ),
    Program(
        "mmap",
        "import mmap\ndef f(): return mmap.mmap(-1, 1 << 40)",
        {RAISED},
    ),
    Program(
        "pty",
        "import pty\ndef f(): pty.spawn('sh')",
        {RAISED},
    ),
    Program(
        "urllib",
        "import urllib.request\ndef f(): urllib.request.urlopen('http://127.0.0.1')",
        {RAISED},
    ),
    Program(
        "input_of_a_call",
        "def f(): return input()",
        {RAISED},
    ),
]
