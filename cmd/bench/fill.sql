-- The benchmark's data besides servers: 200 users, 50 groups, 20
-- environments of which two are for development, and a catalogue to order from.
-- The user 1 is the super admin whose token is used; 2 is a member with a few
-- groups. These users have no passwords.
INSERT INTO users (uuid, global_id, created_at, updated_at, username, email, first_name, last_name, active)
SELECT gen_random_uuid()::text, 'USR-' || lpad(to_hex(i), 8, '0'), now(), now(),
	'user' || i, 'user' || i || '@bench.example', 'User', 'No ' || i, true
FROM generate_series(3, 200) i ORDER BY i;

-- Ten organizations, and four projects below each.
INSERT INTO groups (uuid, global_id, created_at, updated_at, name, type, auto_approval)
SELECT gen_random_uuid()::text, 'GRP-' || lpad(to_hex(i), 8, '0'), now(), now(), 'Organization ' || i, 'Organization', true
FROM generate_series(1, 10) i ORDER BY i;
INSERT INTO groups (uuid, global_id, created_at, updated_at, name, type, parent_id, auto_approval)
SELECT gen_random_uuid()::text, 'GRP-' || lpad(to_hex(100 + i), 8, '0'), now(), now(), 'Project ' || i, 'Project', 2 + (i - 1) / 4, true
FROM generate_series(1, 40) i ORDER BY i;

-- Each user is a requestor in one project. The member may see all of five
-- organizations, and order there.
INSERT INTO memberships (uuid, global_id, created_at, updated_at, user_id, group_id, role_id)
SELECT gen_random_uuid()::text, 'MEM-' || lpad(to_hex(u.id), 8, '0'), now(), now(), u.id, 12 + u.id % 40, r.id
FROM users u, roles r WHERE u.id > 2 AND r.name = 'requestor';
INSERT INTO memberships (uuid, global_id, created_at, updated_at, user_id, group_id, role_id)
SELECT gen_random_uuid()::text, 'MEM-' || lpad(to_hex(1000 + g), 8, '0'), now(), now(), 2, g, r.id
FROM generate_series(2, 6) g, roles r WHERE r.name = 'resource_admin';

-- No URL: the machines are in the memory of the process. The servers belong to the
-- second back end, so that synchronization of the first does not look for them.
INSERT INTO resource_handlers (uuid, global_id, created_at, updated_at, name, kind) VALUES
	(gen_random_uuid()::text, 'RH-00000001', now(), now(), 'Simulated cloud', 'simulated'),
	(gen_random_uuid()::text, 'RH-00000002', now(), now(), 'vCenter', 'vsphere');

INSERT INTO os_builds (uuid, global_id, created_at, updated_at, name, os_family, os_version)
SELECT gen_random_uuid()::text, 'OSB-' || lpad(to_hex(i), 8, '0'), now(), now(), name, 'linux', ''
FROM unnest(ARRAY['Debian 12', 'Rocky Linux 9']) WITH ORDINALITY b (name, i) ORDER BY i;
INSERT INTO os_build_templates (os_build_id, handler_id, template) VALUES (1, 1, 'debian-12'), (2, 1, 'rocky-9');

INSERT INTO sizes (uuid, global_id, created_at, updated_at, name, cpus, memory_mb, rate)
SELECT gen_random_uuid()::text, 'SIZ-' || lpad(to_hex(i), 8, '0'), now(), now(), name, cpus, mem, rate
FROM (VALUES (1, 'small', 1, 1024, 14400000), (2, 'medium', 2, 2048, 28800000), (3, 'large', 4, 8192, 57600000)) s (i, name, cpus, mem, rate) ORDER BY i;

INSERT INTO environments (uuid, global_id, created_at, updated_at, name, handler_id, domain, cpu_rate, mem_rate)
SELECT gen_random_uuid()::text, 'ENV-' || lpad(to_hex(i), 8, '0'), now(), now(),
	CASE WHEN i % 10 = 3 THEN 'Dev Lab ' || i ELSE 'Production ' || i END, 1, 'bench.example', 7200000, 7200000
FROM generate_series(2, 20) i ORDER BY i;
UPDATE environments SET handler_id = 1, cpu_rate = 7200000, mem_rate = 7200000 WHERE id = 1;

INSERT INTO blueprints (uuid, global_id, created_at, updated_at, name, description, state, inputs)
VALUES (gen_random_uuid()::text, 'BP-00000001', now(), now(), 'Custom Server', 'One server, as you like it.', 'Active',
	'[{"name":"vm-size","type":"size","options":["small","medium","large"]},{"name":"sw-stack","type":"text","options":["Dev","Test","Prod"]},{"name":"expiration-date","type":"date"},{"name":"os_build","type":"os-build"},{"name":"mem_size","type":"memory"},{"name":"cpu-cnt","type":"integer"}]');
INSERT INTO blueprint_items (blueprint_id, position, name, type, quantity, os_build_id, hostname)
VALUES (1, 1, 'Server', 'server', 1, 1, 'server-{order}-{n}');
