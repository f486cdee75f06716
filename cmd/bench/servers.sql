-- Servers $1 to $2, spread over users, groups and environments, with the
-- disk, network card and details that a synchronization finds. They belong to another
-- back end (2), so that they are not taken for machines of the simulation.
INSERT INTO servers (uuid, global_id, created_at, updated_at, hostname, status, power_status, ip, mac,
	cpus, memory_mb, disk_gb, os_family, labels, disks, networks, parameters, tech_details,
	owner_id, group_id, environment_id, handler_id, os_build_id, size_id, backend_ref, backend_name,
	rate, hardware_rate, added_at, synced_at)
SELECT gen_random_uuid()::text, 'SVR-' || lpad(to_hex(i), 8, '0'), now(), now(),
	'srv-' || lpad(i::text, 7, '0') || '.bench.example', 'ACTIVE', CASE i % 5 WHEN 0 THEN 'POWEROFF' ELSE 'POWERON' END,
	'10.' || (i >> 16 & 255) || '.' || (i >> 8 & 255) || '.' || (i & 255), '02:00:00:' || substr(lpad(to_hex(i), 6, '0'), 1, 2) || ':' || substr(lpad(to_hex(i), 6, '0'), 3, 2) || ':' || substr(lpad(to_hex(i), 6, '0'), 5, 2),
	1 << (i % 3)::int, 1024 << (i % 3)::int, 10 + i % 40, 'linux', '[]',
	'[{"uuid":"6000c29f-0000-0000-0000-' || lpad(to_hex(i), 12, '0') || '","name":"Hard disk 1","size_gb":' || (10 + i % 40) || ',"datastore":"store-1","provisioning_type":"thin"}]',
	'[{"name":"Network adapter 1","network":"lan","mac":"02:00:00:00:00:01","ips":["10.' || (i >> 16 & 255) || '.' || (i >> 8 & 255) || '.' || (i & 255) || '"]}]',
	'[{"name":"sw-stack","value":"Prod"}]',
	'[{"name":"datacenter","value":"/dc"},{"name":"cluster","value":"/dc/host/cluster"},{"name":"folder","value":"/dc/vm"}]',
	1 + (hashint8(i) & 2147483647) % 200, 2 + (hashint8(i + 1000000007) & 2147483647) % 50, 1 + (hashint8(i + 2000000011) & 2147483647) % 20, 2, 1 + i % 2, 1 + i % 3, 'vm-' || i, 'srv-' || i,
	14400000::bigint << (i % 3)::int, 14400000::bigint << (i % 3)::int, now(), now()
FROM generate_series($1::bigint, $2::bigint) i ORDER BY i
