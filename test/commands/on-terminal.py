"""Runs a program on a terminal: argv[1] is JSON {argv, cwd, env, steps: [{wait, send}], stdout: path or null,
size: [rows, columns]}.

Prints JSON {screen, code}: what the terminal showed, and how the program ended. With `stdout` only stdin and stderr
are the terminal.
"""
import fcntl, json, os, pty, select, struct, sys, termios, time

job = json.loads(sys.argv[1])
has_size, gives_size = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.read(has_size, 1)  # until the terminal has its size
    os.close(has_size)
    os.close(gives_size)
    os.chdir(job['cwd'])
    if job.get('stdout'):
        os.dup2(os.open(job['stdout'], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
    os.execvpe(job['argv'][0], job['argv'], {**os.environ, 'TERM': 'xterm', **job.get('env', {})})

fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', *job['size'], 0, 0))
os.write(gives_size, b'.')
screen = b''
end = time.monotonic() + 100


def read():
    """Appends what there is; False at the end."""
    global screen
    ready, _, _ = select.select([terminal], [], [], 0.1)
    if not ready:
        return time.monotonic() < end
    try:
        part = os.read(terminal, 65536)
    except OSError:
        return False
    screen += part
    return bool(part)


def read_until_it_listens():
    """A prompt is drawn before it listens, and by then takes the keys one by one."""
    patience = time.monotonic() + 5  # for one that takes whole lines
    while termios.tcgetattr(terminal)[3] & termios.ICANON and time.monotonic() < patience and read():
        pass
    seen = -1
    while seen != len(screen) and time.monotonic() < end:
        seen = len(screen)
        time.sleep(0.25)
        read()


position = 0  # of what was not waited for yet
for step in job['steps']:
    text = step['wait'].encode()
    while text not in screen[position:] and read():
        pass
    if text not in screen[position:]:
        break
    position = screen.index(text, position) + len(text)
    read_until_it_listens()
    os.write(terminal, step['send'].encode())
while read():
    pass
if time.monotonic() >= end:
    os.kill(pid, 9)
_, status = os.waitpid(pid, 0)
print(json.dumps({'screen': screen.decode(errors='replace'), 'code': os.waitstatus_to_exitcode(status)}))
