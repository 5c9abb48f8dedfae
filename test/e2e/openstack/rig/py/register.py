#!/usr/bin/python3
"""register.py STEP...: catalogue, users, flavors, the external network, zones. Run by up.sh as admin; may be run again."""
import os
import sys

import openstack

e = os.environ
region, password = e['RIG_REGION'], e['RIG_PASSWORD']
c = openstack.connect(auth_url=e['AUTH_URL'], username='admin', password=password, project_name='admin',
                      user_domain_id='default', project_domain_id='default', region_name=region)
ident = c.identity


def one(gen, **want):
    for x in gen:
        if all(getattr(x, k) == v for k, v in want.items()):
            return x


def catalogue():
    services = list(ident.services())
    endpoints = list(ident.endpoints())
    for line in e['RIG_CATALOGUE'].split():
        stype, name, url = line.split('=', 2)
        s = one(services, type=stype) or ident.create_service(type=stype, name=name, is_enabled=True)
        for iface in ('public', 'internal', 'admin'):
            if not one(endpoints, service_id=s.id, interface=iface):
                ident.create_endpoint(service_id=s.id, interface=iface, url=url, region_id=region, is_enabled=True)


def people():
    roles = {r.name: r for r in ident.roles()}
    if 'service' not in roles:
        roles['service'] = ident.create_role(name='service')
    projects = {p.name: p for p in ident.projects()}
    for name in ('service', 'hive', 'other'):
        if name not in projects:
            projects[name] = ident.create_project(name=name, domain_id='default')
    users = {u.name: u for u in ident.users()}

    def user(name, project, *rolenames):
        if name not in users:
            users[name] = ident.create_user(name=name, domain_id='default', password=password,
                                            default_project_id=projects[project].id, is_enabled=True)
        for r in rolenames:
            ident.assign_project_role_to_user(projects[project], users[name], roles[r])

    for name in ('nova', 'neutron', 'glance', 'placement', 'cinder'):
        user(name, 'service', 'admin', 'service')
    user('tenant', 'hive', 'member')
    user('reader', 'hive', 'reader')
    user('stranger', 'other', 'member')   # a member of another project, for isolation checks


def flavors():
    have = {f.name for f in c.compute.flavors(details=False)}
    for name, vcpus, ram, disk in (('rig.small', 1, 1024, 10), ('rig.worker', 4, 8192, 40),
                                   ('rig.master', 8, 16384, 80), ('rig.bfv', 4, 8192, 0)):
        if name not in have:
            c.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk, is_public=True)


def external():
    if not c.network.find_network('external'):
        n = c.network.create_network(name='external', is_router_external=True, provider_network_type='flat',
                                     provider_physical_network='physnet1')
        c.network.create_subnet(name='external', network_id=n.id, ip_version=4, cidr='203.0.113.0/24',
                                is_dhcp_enabled=False)


def volumes():
    if e.get('RIG_CINDER') == '1' and not any(t.name == 'rig' for t in c.block_storage.types()):
        c.block_storage.create_type(name='rig')


def zones():
    """The first of several compute hosts is one availability zone, the others are another. None is left in the default
    zone: placement knows no aggregate for it, so that a server that asks for it may land in any."""
    hosts = ['rig-compute-%d' % i for i in range(int(e['RIG_COMPUTES']))]
    have = {a.name: a for a in c.compute.aggregates()}
    for zone, members in (('az1', hosts[:1]), ('az2', hosts[1:])):
        if len(hosts) > 1 and zone not in have:
            a = c.compute.create_aggregate(name=zone, availability_zone=zone)
            for host in members:
                c.compute.add_host_to_aggregate(a, host)


for step in sys.argv[1:]:
    globals()[step]()
