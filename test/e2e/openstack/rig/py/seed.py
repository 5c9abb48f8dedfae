#!/usr/bin/python3
"""seed.py --cloud CLOUD INFRA_ID [MASTERS [WORKERS]]: see seed-cluster.sh.

With --adorned the servers differ in all that a server can be given: key pair, description, host name, availability
zone, tags, metadata, config drive; one has two ports of one network in an order that nothing else suggests, one has a
port in a second network."""
import argparse
import base64
import concurrent.futures
import hashlib
import json
import sys
import time

import openstack

MICRO = '2.90'  # the first in which a server's host name may differ from its name

p = argparse.ArgumentParser()
p.add_argument('--cloud', required=True)
p.add_argument('infra')
p.add_argument('masters', type=int, nargs='?', default=3)
p.add_argument('workers', type=int, nargs='?', default=3)
p.add_argument('--adorned', action='store_true', help='every attribute that a server can be given')
p.add_argument('--from-volume', action='store_true', help='the servers boot from volumes, deleted with them')
p.add_argument('--remove', action='store_true', help='remove the cluster')
args = p.parse_args()
infra = args.infra
tag = 'openshiftClusterID=' + infra
c = openstack.connect(cloud=args.cloud)


def ok(r):
    if r.status_code >= 300:
        sys.exit('%s %s: %s %s' % (r.request.method, r.url, r.status_code, r.text[:400]))
    return r.json() if r.content else {}


def nova(method, path, **kw):
    return ok(getattr(c.compute, method)(path, microversion=MICRO, **kw))


def by_name(path, key, name):
    return next((x for x in ok(c.network.get(path, params={'name': name}))[key] if x['name'] == name), None)


def plural(kind):
    return 'security-groups' if kind == 'security_group' else kind + 's'


def neutron(kind, name, tags=(tag,), **body):
    """The named thing: as it is there, or made and tagged."""
    path = '/' + plural(kind)
    x = by_name(path, plural(kind).replace('-', '_'), name)
    if x is None:
        x = ok(c.network.post(path, json={kind: dict(body, name=name)}))[kind]
        ok(c.network.put('%s/%s/tags' % (path, x['id']), json={'tags': list(tags)}))
    return x


def my_servers():
    found = nova('get', '/servers/detail', params={'name': '^%s-' % infra, 'limit': 1000})['servers']
    return [s for s in found if s['metadata'].get('openshiftClusterID') == infra]


class Cluster:
    """What the servers need, made once."""

    def __init__(self):
        self.net = neutron('network', infra + '-openshift')
        self.subnet = neutron('subnet', infra + '-nodes', network_id=self.net['id'], ip_version=4, cidr='10.0.0.0/16',
                              allocation_pools=[{'start': '10.0.0.10', 'end': '10.0.255.254'}])
        self.router()
        self.groups = {role: self.security_group(role) for role in ('master', 'worker')}
        self.vips = []
        for name, address in (('api', '10.0.0.5'), ('ingress', '10.0.0.7')):
            neutron('port', '%s-%s-port' % (infra, name), network_id=self.net['id'],
                    fixed_ips=[{'subnet_id': self.subnet['id'], 'ip_address': address}],
                    security_groups=[self.groups['master']['id']])
            self.vips.append(address)
        self.image = self.base_image()
        have = {g['name']: g for g in nova('get', '/os-server-groups')['server_groups']}
        self.server_groups = {}
        for role in ('master', 'worker'):
            name = '%s-%s' % (infra, role)
            self.server_groups[role] = have.get(name) or nova('post', '/os-server-groups', json={
                'server_group': {'name': name, 'policy': 'soft-anti-affinity'}})['server_group']
        self.flavors = {f['name']: f['id'] for f in nova('get', '/flavors')['flavors']}
        self.zones = sorted(z['zoneName'] for z in nova('get', '/os-availability-zone')['availabilityZoneInfo'])
        self.existing = {s['name']: s for s in my_servers()}
        if args.adorned:
            # Its name comes before that of the first network: an order by name is a wrong one.
            self.data = neutron('network', infra + '-data')
            neutron('subnet', infra + '-data', network_id=self.data['id'], ip_version=4, cidr='10.1.0.0/24')
            self.extra_group = neutron('security_group', infra + '-extra')
            if infra not in [k['keypair']['name'] for k in nova('get', '/os-keypairs')['keypairs']]:
                nova('post', '/os-keypairs', json={'keypair': {'name': infra, 'type': 'ssh', 'public_key': PUBLIC_KEY}})

    def router(self):
        external = by_name('/networks', 'networks', 'external')
        router = neutron('router', infra + '-external-router', external_gateway_info={'network_id': external['id']})
        ports = ok(c.network.get('/ports', params={'device_id': router['id'], 'network_id': self.net['id']}))['ports']
        if not ports:
            ok(c.network.put('/routers/%s/add_router_interface' % router['id'],
                             json={'subnet_id': self.subnet['id']}))

    def security_group(self, role):
        g = neutron('security_group', '%s-%s' % (infra, role), description='Created By OpenShift Installer')
        if len(g['security_group_rules']) <= 2:
            rules = [dict(security_group_id=g['id'], direction='ingress', ethertype='IPv4', protocol='tcp',
                          port_range_min=n, port_range_max=n, remote_ip_prefix='10.0.0.0/16')
                     for n in ((22, 6443, 22623, 2379) if role == 'master' else (22, 10250))]
            ok(c.network.post('/security-group-rules', json={'security_group_rules': rules}))
        return g

    def base_image(self):
        found = ok(c.image.get('/images', params={'name': infra + '-rhcos'}))['images']
        if found:
            return found[0]
        image = ok(c.image.post('/images', json={
            'name': infra + '-rhcos', 'disk_format': 'qcow2', 'container_format': 'bare', 'min_disk': 10,
            'tags': [tag], 'os_distro': 'rhcos', 'hw_disk_bus': 'virtio'}))
        data = b'QFI\xfb\0\0\0\3' + b'\0' * 504 + infra.encode() + b'\0' * (1 << 20)
        ok(c.image.put('/images/%s/file' % image['id'], data=data, headers={'Content-Type': 'application/octet-stream'}))
        return image

    def port(self, role, index, name):
        x = neutron('port', name + '-0' if role == 'worker' else '%s-master-port-%d' % (infra, index),
                    ('cluster-api-provider-openstack', tag),
                    network_id=self.net['id'], description='Created by cluster-api-provider-openstack',
                    fixed_ips=[{'subnet_id': self.subnet['id'],
                                'ip_address': '10.0.%d.%d' % (1 if role == 'master' else 2, 10 + index)}],
                    allowed_address_pairs=[{'ip_address': a} for a in self.vips],
                    security_groups=[self.groups[role]['id']])
        return x

    def server(self, spec):
        role, index, name = spec
        if name in self.existing:
            return self.existing[name]['id']
        ignition = {'ignition': {'version': '3.2.0', 'config': {'merge': [
            {'source': 'https://10.0.0.5:22623/config/' + role}]}}}
        body = {
            'name': name, 'flavorRef': self.flavors['rig.bfv' if args.from_volume else 'rig.' + role],
            'networks': [{'port': self.port(role, index, name)['id']}], 'config_drive': True,
            'user_data': base64.b64encode(json.dumps(ignition).encode()).decode(),
            'metadata': {'Name': '%s-%s' % (infra, role), 'openshiftClusterID': infra},
            'tags': ['cluster-api-provider-openstack', tag],
        }
        if args.from_volume:
            body['block_device_mapping_v2'] = [{
                'boot_index': 0, 'source_type': 'image', 'destination_type': 'volume', 'uuid': self.image['id'],
                'volume_size': 20, 'delete_on_termination': True}]
        else:
            body['imageRef'] = self.image['id']
        if args.adorned:
            self.adorn(body, role, index, name)
        return nova('post', '/servers', json={
            'server': body, 'os:scheduler_hints': {'group': self.server_groups[role]['id']}})['server']['id']

    def adorn(self, body, role, index, name):
        if index == 0:
            body['description'] = 'The first %s: "quoted", 50 %% of it, größer' % role
            body['key_name'] = infra
            body['tags'] += ['team=winter', 'zz last', 'A first']
            body['metadata'].update({'note': 'größer & <b>"quoted"</b>', 'empty': ''})
        if index == 1:
            body['availability_zone'] = self.zones[0]
        if index == 2:
            body['config_drive'] = False
            body['hostname'] = '%s-2-host' % role
        if role == 'worker' and index == 0:
            body['networks'] = self.two_ports(body['networks'][0]['port'], name)
        if role == 'worker' and index == 1:
            second = neutron('port', 'a port of ' + name, network_id=self.data['id'],
                             security_groups=[self.groups['worker']['id'], self.extra_group['id']])
            body['networks'].append({'port': second['id']})

    def two_ports(self, first, name):
        """Two ports of one network: the greater ID first, and with it the greater address."""
        second = neutron('port', name + '-second', network_id=self.net['id'], port_security_enabled=False,
                         security_groups=[])
        address = '10.0.9.9' if second['id'] > first else '10.0.0.99'
        ok(c.network.put('/ports/' + second['id'], json={'port': {
            'fixed_ips': [{'subnet_id': self.subnet['id'], 'ip_address': address}]}}))
        return [{'port': i} for i in sorted((first, second['id']), reverse=True)]


PUBLIC_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGmzfKm0dzL2Wk5Kq3rNfeIyYy0mXyCxO4i9b2y1Wb3t seed'


def suffix(index):  # stable, so that a second run finds the same workers
    h = hashlib.sha256(('%s %d' % (infra, index)).encode()).digest()
    return ''.join('bcdfghjklmnpqrstvwxz2456789'[b % 27] for b in h[:5])


def until(done, what, seconds=300):
    limit = time.time() + seconds
    while not done():
        if time.time() > limit:
            sys.exit('still not: ' + what)
        time.sleep(0.5)


def seed():
    began = time.time()
    cluster = Cluster()
    specs = [('master', i, '%s-master-%d' % (infra, i)) for i in range(args.masters)]
    specs += [('worker', i, '%s-worker-0-%s' % (infra, suffix(i))) for i in range(args.workers)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(cluster.server, specs))

    def built():
        bad = ['%s: %s' % (s['name'], s.get('fault', {}).get('message')) for s in my_servers() if s['status'] == 'ERROR']
        if bad:
            sys.exit('in ERROR: ' + ', '.join(bad))
        return ids <= {s['id'] for s in my_servers() if s['status'] != 'BUILD'}

    until(built, 'all servers built')
    for s in sorted(my_servers(), key=lambda s: s['name']):
        print('%s  %-8s %s  %s' % (s['id'], s['status'], s['name'],
                                   ' '.join(a['addr'] for n in s['addresses'].values() for a in n)))
    print('seeded %s: %d masters, %d workers in %.1f s' % (infra, args.masters, args.workers, time.time() - began))


def tagged(kind):
    key = plural(kind).replace('-', '_')
    return ok(c.network.get('/' + plural(kind), params={'tags': tag}))[key]


def remove():
    """As the installer's destroy: servers by metadata, all else by tag, server groups by name."""
    for s in my_servers():
        c.compute.delete('/servers/' + s['id'])
    until(lambda: not my_servers(), 'all servers gone')
    for image in ok(c.image.get('/images', params={'tag': tag}))['images']:
        ok(c.image.delete('/images/' + image['id']))
    for router in tagged('router'):
        for subnet in tagged('subnet'):
            c.network.put('/routers/%s/remove_router_interface' % router['id'], json={'subnet_id': subnet['id']})
    # Ports that a test has made have no tag; their networks have.
    for network in tagged('network'):
        for port in ok(c.network.get('/ports', params={'network_id': network['id']}))['ports']:
            ok(c.network.delete('/ports/' + port['id']))
    for kind in ('router', 'subnet', 'network', 'security_group'):
        for x in tagged(kind):
            ok(c.network.delete('/%s/%s' % (plural(kind), x['id'])))
    for g in nova('get', '/os-server-groups')['server_groups']:
        if g['name'] in ('%s-master' % infra, '%s-worker' % infra):
            nova('delete', '/os-server-groups/' + g['id'])
    if infra in [k['keypair']['name'] for k in nova('get', '/os-keypairs')['keypairs']]:
        nova('delete', '/os-keypairs/' + infra)
    print('removed ' + infra)


remove() if args.remove else seed()
