"""nova's fake driver, with what the plain one lacks for an end-to-end test:

 - snapshot() goes through libvirt's sequence of task states and uploads real bytes to glance
   (the plain fake driver leaves the image "queued" for ever);
 - pause and unpause change the power state;
 - instances survive a restart of nova-compute;
 - knobs, files under $OW_RIG_STATE/knobs/, read at each snapshot (absent means the default):
     snapshot_extract_seconds  time in task state image_pending_upload (0)
     snapshot_upload_seconds   time in image_uploading, the image being "saving" (0)
     snapshot_bytes            size of what is uploaded (1048576)
     snapshot_fail             not empty: the snapshot fails with this text, as a broken hypervisor's does
     spawn_seconds             time a server stays in BUILD/spawning (0)
     spawn_fail                not empty: every boot fails with this text (server goes to ERROR)
     pause_fail                not empty: pause fails on the hypervisor with this text
"""
import os
import struct
import time

from oslo_log import log as logging

from nova.compute import power_state
from nova.compute import task_states
from nova.compute import vm_states
from nova import exception
from nova.image import glance
from nova.virt import fake

LOG = logging.getLogger(__name__)
KNOBS = os.path.join(os.environ.get('OW_RIG_STATE', '/var/tmp/overwinter-openstack'), 'knobs')


def knob(name, default):
    try:
        with open(os.path.join(KNOBS, name)) as f:
            text = f.read().strip()
        return type(default)(text) if text else default
    except (OSError, ValueError):
        return default


class Upload(object):
    """A file of the wanted size that takes the wanted time to read: a qcow2 magic, a line of text, zeros."""

    def __init__(self, instance, size, seconds):
        self.data = b'QFI\xfb' + struct.pack('>I', 3) + b'\0' * 504
        self.data += ('rig snapshot of %s at %f\n' % (instance.uuid, time.time())).encode()
        self.size = max(size, len(self.data))
        self.rate = self.size / seconds if seconds > 0 else 0
        self.at = 0

    def read(self, n=-1):
        left = self.size - self.at
        n = left if n is None or n < 0 else min(n, left)
        if n == 0:
            return b''
        if self.rate:
            time.sleep(n / self.rate)
        piece = self.data[self.at:self.at + n]
        self.at += n
        return piece + b'\0' * (n - len(piece))


class RigDriver(fake.FakeDriver):
    vcpus = 8000
    memory_mb = 32 * 1024 * 1024
    local_gb = 1000000

    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self._image_api = glance.API()

    def _known(self, instance):
        """After a restart the fake hypervisor has forgotten its guests: take them in again."""
        if instance.uuid not in self.instances:
            state = {vm_states.STOPPED: power_state.SHUTDOWN,
                     vm_states.PAUSED: power_state.PAUSED}.get(instance.vm_state, power_state.RUNNING)
            self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)
            self.resources.claim(vcpus=instance.flavor.vcpus, mem=instance.flavor.memory_mb,
                                 disk=instance.flavor.root_gb)
        return self.instances[instance.uuid]

    def spawn(self, context, instance, *args, **kwargs):
        time.sleep(knob('spawn_seconds', 0.0))
        fail = knob('spawn_fail', '')
        if fail:
            raise exception.InstanceDeployFailure(reason=fail)
        super().spawn(context, instance, *args, **kwargs)

    def get_info(self, instance, use_cache=True):
        # Only a guest that nova believes to be on this hypervisor is taken in again; one still being
        # built or already being destroyed is not.
        if (instance.uuid not in self.instances and instance.task_state is None and
                instance.vm_state in (vm_states.ACTIVE, vm_states.PAUSED, vm_states.STOPPED)):
            self._known(instance)
        return super().get_info(instance, use_cache)

    def pause(self, instance):
        fail = knob('pause_fail', '')
        if fail:
            raise exception.NovaException(fail)
        self._known(instance).state = power_state.PAUSED

    def unpause(self, instance):
        self._known(instance).state = power_state.RUNNING

    def snapshot(self, context, instance, image_id, update_task_state):
        if instance.uuid not in self.instances:
            # libvirt: no such domain
            raise exception.InstanceNotRunning(instance_id=instance.uuid)
        # What libvirt's driver does with file-backed disks, in the same order.
        image = self._image_api.get(context, image_id)
        metadata = {
            'status': 'active',
            'name': image['name'],
            'disk_format': 'qcow2',
            'container_format': 'bare',
            'properties': {
                'kernel_id': instance.kernel_id,
                'image_location': 'snapshot',
                'image_state': 'available',
                'owner_id': instance.project_id,
                'ramdisk_id': instance.ramdisk_id,
            },
        }
        if instance.image_meta.obj_attr_is_set('container_format'):
            metadata['container_format'] = instance.image_meta.container_format
        update_task_state(task_state=task_states.IMAGE_PENDING_UPLOAD)
        time.sleep(knob('snapshot_extract_seconds', 0.0))
        fail = knob('snapshot_fail', '')
        if fail:
            raise exception.NovaException(fail)
        if instance.uuid not in self.instances:
            # libvirt: the domain disappeared while its disk was copied
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        update_task_state(task_state=task_states.IMAGE_UPLOADING,
                          expected_state=task_states.IMAGE_PENDING_UPLOAD)
        data = Upload(instance, knob('snapshot_bytes', 1 << 20), knob('snapshot_upload_seconds', 0.0))
        self._image_api.update(context, image_id, metadata, data, purge_props=False)
