"""cinder volume driver with no storage behind it: cinder's own logging fake, plus what boot-from-volume needs."""
from cinder.tests import fake_driver


class RigVolumeDriver(fake_driver.FakeLoggingVolumeDriver):

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        # "The back end has copied the image itself": no qemu-img, no block device.
        return {}, True

    def copy_image_to_volume(self, context, volume, image_service, image_id, disable_sparse=False):
        pass

    def copy_volume_to_image(self, context, volume, image_service, image_meta):
        def chunks():
            yield b'rig volume %s' % volume['id'].encode()
        image_service.update(context, image_meta['id'], {}, chunks())

    def extend_volume(self, volume, new_size):
        pass

    def update_migrated_volume(self, ctxt, volume, new_volume, original_volume_status):
        return {'_name_id': None}

    def initialize_connection(self, volume, connector):
        info = super().initialize_connection(volume, connector)
        info['data'].update({'target_portal': '127.0.0.1:3260', 'target_lun': 1, 'volume_id': volume['id'],
                             'target_iqn': 'iqn.2010-10.org.openstack:volume-%s' % volume['id']})
        return info

    def _update_volume_stats(self):
        super()._update_volume_stats()
        for pool in self._stats['pools']:
            pool.update(reserved_percentage=0, multiattach=True, thin_provisioning_support=True,
                        total_capacity_gb=100000, free_capacity_gb=100000)
