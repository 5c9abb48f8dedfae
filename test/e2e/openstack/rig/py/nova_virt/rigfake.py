"""nova's fake driver, with what the plain one lacks for an end-to-end test:

 - snapshot() goes through libvirt's sequence of task states and uploads real bytes to glance
   (the plain fake driver leaves the image "queued" for ever);
 - pause, unpause, suspend, resume, rescue, cold and live migration change the power state as libvirt's driver does, and
   the disk goes along (plain: a migration starts a paused guest);
 - guests outlive nova-compute, in whatever moment that dies;
 - a guest's disk holds what it has written (rigdisk.py), a snapshot too, and what is made from one begins with it;
 - knobs, files under $OW_RIG_STATE/knobs/, read at each snapshot (absent means the default):
     snapshot_extract_seconds  time in task state image_pending_upload (0)
     snapshot_upload_seconds   time in image_uploading, the image being "saving" (0)
     snapshot_bytes            size of what is uploaded (1048576)
     snapshot_fail             not empty: the snapshot fails with this text, as a broken hypervisor's does
     spawn_seconds             time a server stays in BUILD/spawning (0)
     spawn_fail                not empty: every boot fails with this text (server goes to ERROR)
     pause_fail                not empty: pause fails on the hypervisor with this text
"""
import io
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
from nova.virt import rigdisk

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
    """A file of the wanted size that takes the wanted time to read: a qcow2 magic, the content, zeros."""

    def __init__(self, content, size, seconds):
        self.data = b'QFI\xfb' + struct.pack('>I', 3) + b'\0' * 504 + content
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


# How a guest that does not run is on its hypervisor.
QUIET = {
    vm_states.STOPPED: power_state.SHUTDOWN,
    vm_states.RESIZED: power_state.SHUTDOWN,
    vm_states.SUSPENDED: power_state.SHUTDOWN,
    vm_states.RESCUED: power_state.RUNNING,
}


class RigDriver(fake.FakeDriver):
    vcpus = 8000
    memory_mb = 32 * 1024 * 1024
    local_gb = 1000000

    def __init__(self, virtapi, read_only=False):
        super().__init__(virtapi, read_only)
        self._image_api = glance.API()

    def _known(self, instance):
        """After a restart the driver has forgotten its guests, which have lived on: take them in again."""
        if instance.uuid not in self.instances:
            state = power_state.RUNNING
            if not rigdisk.running(instance.uuid):
                state = QUIET.get(instance.vm_state, power_state.PAUSED)
            self._arrive(instance, state)
        return self.instances[instance.uuid]

    def _arrive(self, instance, state):
        """The guest is on this host from now on."""
        if instance.uuid not in self.instances:
            self.resources.claim(vcpus=instance.flavor.vcpus, mem=instance.flavor.memory_mb,
                                 disk=instance.flavor.root_gb)
        self.instances[instance.uuid] = fake.FakeInstance(instance.name, state, instance.uuid)

    def _leave(self, instance):
        """The guest is on another host from now on, and so is its disk."""
        if instance.uuid in self.instances:
            super().destroy(None, instance, None)

    def _boot_here(self, instance, power_on):
        self._arrive(instance, power_state.RUNNING if power_on else power_state.SHUTDOWN)
        if power_on:
            rigdisk.start(instance.uuid)

    def _fetch(self, context, image_id):
        """The first bytes of an image. A server on a volume has none."""
        data = io.BytesIO()
        if image_id:
            self._image_api.download(context, image_id, data=data)
        return data.getvalue()[:rigdisk.HEAD]

    def spawn(self, context, instance, *args, **kwargs):
        time.sleep(knob('spawn_seconds', 0.0))
        fail = knob('spawn_fail', '')
        if fail:
            raise exception.InstanceDeployFailure(reason=fail)
        rigdisk.make(instance.uuid, instance.display_name, self._fetch(context, instance.image_ref))
        super().spawn(context, instance, *args, **kwargs)
        rigdisk.start(instance.uuid)

    def destroy(self, context, instance, *args, **kwargs):
        rigdisk.remove(instance.uuid)
        super().destroy(context, instance, *args, **kwargs)

    def get_info(self, instance, use_cache=True):
        if rigdisk.there(instance.uuid):
            self._known(instance)
        return super().get_info(instance, use_cache)

    def power_off(self, instance, *args, **kwargs):
        self._known(instance)
        rigdisk.stop(instance.uuid)
        super().power_off(instance, *args, **kwargs)

    def power_on(self, context, instance, *args, **kwargs):
        self._known(instance)
        rigdisk.start(instance.uuid)
        super().power_on(context, instance, *args, **kwargs)

    def pause(self, instance):
        fail = knob('pause_fail', '')
        if fail:
            raise exception.NovaException(fail)
        guest = self._known(instance)
        rigdisk.stop(instance.uuid)
        guest.state = power_state.PAUSED

    def unpause(self, instance):
        guest = self._known(instance)
        rigdisk.start(instance.uuid)
        guest.state = power_state.RUNNING

    def suspend(self, context, instance):
        guest = self._known(instance)
        rigdisk.stop(instance.uuid)
        guest.state = power_state.SHUTDOWN

    def resume(self, context, instance, network_info, block_device_info=None):
        self.power_on(context, instance, network_info)

    def rescue(self, context, instance, *args, **kwargs):
        # Another system runs. It writes nothing to the guest's disk unless a person does.
        self._known(instance).state = power_state.RUNNING

    def unrescue(self, context, instance):
        self.power_on(context, instance, None)

    def migrate_disk_and_power_off(self, context, instance, *args, **kwargs):
        self.power_off(instance)

    def finish_migration(self, context, migration, instance, *args, power_on=True, **kwargs):
        self._boot_here(instance, power_on)

    def finish_revert_migration(self, context, instance, *args, power_on=True, **kwargs):
        self._boot_here(instance, power_on)

    def confirm_migration(self, context, migration, instance, network_info):
        if migration.source_compute != migration.dest_compute:
            self._leave(instance)

    def post_live_migration_at_source(self, context, instance, network_info):
        self._leave(instance)

    def post_live_migration_at_destination(self, context, instance, *args, **kwargs):
        # Live: it runs there if it ran here.
        self._arrive(instance, power_state.RUNNING if rigdisk.running(instance.uuid) else power_state.PAUSED)

    def snapshot(self, context, instance, image_id, update_task_state):
        if not rigdisk.there(instance.uuid):
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
        content = rigdisk.content(instance.uuid, image['name'])
        if not rigdisk.there(instance.uuid):
            # libvirt: the domain disappeared while its disk was copied
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        update_task_state(task_state=task_states.IMAGE_UPLOADING,
                          expected_state=task_states.IMAGE_PENDING_UPLOAD)
        data = Upload(content, knob('snapshot_bytes', 1 << 20), knob('snapshot_upload_seconds', 0.0))
        self._image_api.update(context, image_id, metadata, data, purge_props=False)
