"""The disks of the rig's guests: when they were written to, in one text file for each, $OW_RIG_STATE/disks/UUID.

    machine NAME        the server's name
    cut NAME UUID AT    only if it was made from a snapshot: which, of which server, and when that was taken
    run UUID FROM TO    a guest was running; TO is missing while it does
    gone AT             the hypervisor has removed it

A snapshot holds the cut and the runs up to it, and a disk that is made from it begins with them: what a guest wrote
before is on its new disk if, and only if, the runs before are there. The files stay when the guests go. Times are
seconds of this machine's clock."""
import os
import time

DISKS = os.path.join(os.environ.get('OW_RIG_STATE', '/var/tmp/overwinter-openstack'), 'disks')
HEAD = 1 << 16  # what is written into a snapshot fits into its first bytes


def _path(uuid):
    return os.path.join(DISKS, uuid)


def _now():
    return '%.6f' % time.time()


def _lines(uuid):
    try:
        with open(_path(uuid)) as f:
            return f.read().splitlines()
    except FileNotFoundError:
        return []


def _put(uuid, lines):
    """In one step: nova-compute may be killed at any time."""
    os.makedirs(DISKS, exist_ok=True)
    with open(_path(uuid) + '.new', 'w') as f:
        f.write('\n'.join(lines) + '\n')
    os.replace(_path(uuid) + '.new', _path(uuid))


def _open(line):
    return line.startswith('run ') and len(line.split()) == 3


def _closed(lines):
    return ['%s %s' % (line, _now()) if _open(line) else line for line in lines]


def there(uuid):
    """Whether the hypervisor has the guest."""
    lines = _lines(uuid)
    return bool(lines) and not lines[-1].startswith('gone ')


def running(uuid):
    return there(uuid) and any(map(_open, _lines(uuid)))


def make(uuid, name, image):
    """image: the first bytes of the image."""
    if not there(uuid):
        written = image.partition(b'\ncut ')[2].partition(b'\nend\n')[0].decode()
        _put(uuid, ['machine ' + name] + (['cut ' + line if i == 0 else line
                                           for i, line in enumerate(written.splitlines())]))


def start(uuid):
    if there(uuid) and not running(uuid):
        _put(uuid, _lines(uuid) + ['run %s %s' % (uuid, _now())])


def stop(uuid):
    if running(uuid):
        _put(uuid, _closed(_lines(uuid)))


def remove(uuid):
    if there(uuid):
        _put(uuid, _closed(_lines(uuid)) + ['gone ' + _now()])


def content(uuid, name):
    """What a snapshot of this name holds."""
    runs = [line for line in _closed(_lines(uuid)) if line.startswith('run ')]
    return '\n'.join(['', 'cut %s %s %s' % (name, uuid, _now())] + runs + ['end', '']).encode()
