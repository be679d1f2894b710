-- Tenants with their devices, subscriptions, alerts and deliveries. In a home they are all of the tenant 'home'.
-- The role homeiq_worker does what concerns all tenants; it is given exactly what it needs, table by table.

CREATE FUNCTION homeiq_let_work(target regclass, rights text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY worker ON %s TO homeiq_worker USING (true) WITH CHECK (true)', target);
    EXECUTE format('GRANT %s ON %s TO homeiq_worker', rights, target);
END $$;

-- Tells every server of a change that it may have remembered otherwise: "table tenant" or "table tenant device".
CREATE FUNCTION homeiq_tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed record := coalesce(NEW, OLD);
BEGIN
    PERFORM pg_notify('homeiq', concat_ws(' ', TG_TABLE_NAME, changed.tenant_id, to_jsonb(changed) ->> 'device_id'));
    RETURN NULL;
END $$;

-- Notes which transaction wrote a row last, so that who follows (all below the oldest that runs) misses none.
CREATE FUNCTION homeiq_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.change := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;

ALTER TABLE tenants
    ADD COLUMN status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED', 'DELETED')),
    ADD COLUMN auto_provision boolean NOT NULL DEFAULT false,
    ADD COLUMN provisioning_key_hash bytea,
    ADD COLUMN messages_per_second double precision CHECK (messages_per_second > 0),  -- NULL: as the options say
    ADD COLUMN messages_burst int CHECK (messages_burst > 0),
    ADD COLUMN contact text,
    ADD COLUMN version int NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now(),
    ADD CHECK (NOT auto_provision OR provisioning_key_hash IS NOT NULL);
-- Refused messages that belong to nobody are kept here; no tenant can be made with such a name.
INSERT INTO tenants (tenant_id, name, status) VALUES ('-', 'Nobody', 'SUSPENDED');

-- What programs of a tenant show. The text itself is 'hiq.<tenant>.<secret>'; shown is how the secret begins.
CREATE TABLE api_tokens (
    tenant_id    text NOT NULL REFERENCES tenants,
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    name         text NOT NULL,
    shown        text NOT NULL,
    token_hash   bytea NOT NULL,
    scopes       text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX api_tokens_by_hash ON api_tokens (tenant_id, token_hash);

-- device_limit NULL: no limit; term_end NULL: no end.
CREATE TABLE subscriptions (
    tenant_id    text NOT NULL REFERENCES tenants,
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    kind         text NOT NULL CHECK (kind IN ('MAIN', 'ADDON', 'TRIAL', 'TEMPORARY')),
    parent_id    uuid,
    status       text NOT NULL CHECK (status IN ('TRIAL', 'ACTIVE', 'GRACE', 'SUSPENDED', 'EXPIRED')),
    device_limit int CHECK (device_limit >= 0),
    term_start   timestamptz NOT NULL DEFAULT now(),
    term_end     timestamptz CHECK (term_end > term_start),
    grace_days   int NOT NULL DEFAULT 14 CHECK (grace_days BETWEEN 0 AND 365),
    plan         text,
    description  text,
    version      int NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES subscriptions,
    CHECK ((kind = 'ADDON') = (parent_id IS NOT NULL))
);
INSERT INTO subscriptions (tenant_id, kind, status, description) VALUES ('home', 'MAIN', 'ACTIVE', 'The home itself');

CREATE TABLE subscription_audit (
    tenant_id       text NOT NULL REFERENCES tenants,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    subscription_id uuid NOT NULL,
    event           text NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    actor           text NOT NULL,
    before          jsonb,
    after           jsonb,
    details         jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, id)
);

-- Each reminder of the end of a term is given once.
CREATE TABLE subscription_reminders (
    tenant_id       text NOT NULL REFERENCES tenants,
    subscription_id uuid NOT NULL,
    term_end        timestamptz NOT NULL,
    days            int NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, subscription_id, term_end, days)
);

-- What a request with an Idempotency-Key was answered.
CREATE TABLE idempotency_keys (
    tenant_id    text NOT NULL REFERENCES tenants,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       int NOT NULL,
    response     jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);

-- Devices that send by MQTT or HTTP. PENDING and ACTIVE ones take a place of their subscription.
CREATE TABLE ingest_devices (
    tenant_id             text NOT NULL REFERENCES tenants,
    device_id             text NOT NULL CHECK (device_id <> ''),
    name                  text,
    site_id               text NOT NULL DEFAULT 'home',
    subscription_id       uuid,
    status                text NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'INACTIVE', 'REVOKED', 'DELETED')),
    provisioned_by        text NOT NULL CHECK (provisioned_by IN ('api', 'key')),
    token_hash            bytea,
    activation_hash       bytea,
    activation_expires_at timestamptz,
    heartbeat_s           int CHECK (heartbeat_s > 0),
    manufacturer          text,
    model                 text,
    sw_version            text,
    metadata              jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
    version               int NOT NULL DEFAULT 1,
    created_at            timestamptz NOT NULL DEFAULT now(),
    activated_at          timestamptz,
    updated_at            timestamptz NOT NULL DEFAULT now(),
    change                bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, device_id),
    FOREIGN KEY (tenant_id, subscription_id) REFERENCES subscriptions
);
CREATE INDEX ingest_devices_by_place ON ingest_devices (tenant_id, subscription_id)
    WHERE status IN ('PENDING', 'ACTIVE');

CREATE INDEX ingest_devices_by_change ON ingest_devices (tenant_id, change);

-- The newest that each device said. metrics: {name: [value, time in µs]}.
CREATE TABLE device_states (
    tenant_id         text NOT NULL REFERENCES tenants,
    device_id         text NOT NULL,
    metrics           jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metrics) = 'object'),
    last_telemetry_at timestamptz,
    last_heartbeat_at timestamptz,
    last_seen_at      timestamptz NOT NULL,
    latitude          double precision,
    longitude         double precision,
    change            bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, device_id)
);
CREATE INDEX device_states_by_change ON device_states (tenant_id, change);

-- Lists that are NULL mean any.
CREATE TABLE alert_rules (
    tenant_id     text NOT NULL REFERENCES tenants,
    id            uuid NOT NULL DEFAULT gen_random_uuid(),
    name          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('THRESHOLD', 'NO_HEARTBEAT', 'NO_TELEMETRY', 'INSIGHT')),
    severity      smallint NOT NULL DEFAULT 3 CHECK (severity BETWEEN 1 AND 5),
    enabled       boolean NOT NULL DEFAULT true,
    metric        text,
    operator      text CHECK (operator IN ('GT', 'GTE', 'LT', 'LTE')),
    threshold     double precision,
    hysteresis    double precision NOT NULL DEFAULT 0 CHECK (hysteresis >= 0),
    duration_s    int NOT NULL DEFAULT 0 CHECK (duration_s BETWEEN 0 AND 604800),
    silence_s     int CHECK (silence_s BETWEEN 5 AND 31536000),
    finding_kinds text[] CHECK (cardinality(finding_kinds) > 0),
    site_ids      text[] CHECK (cardinality(site_ids) > 0),
    device_ids    text[] CHECK (cardinality(device_ids) > 0),
    description   text,
    version       int NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CHECK ((kind = 'THRESHOLD') = (metric IS NOT NULL AND operator IS NOT NULL AND threshold IS NOT NULL)),
    CHECK ((kind IN ('NO_HEARTBEAT', 'NO_TELEMETRY')) = (silence_s IS NOT NULL))
);

-- Since when a device is beyond a threshold, in the device's own time; only while it is.
CREATE TABLE rule_states (
    tenant_id      text NOT NULL REFERENCES tenants,
    rule_id        uuid NOT NULL,
    device_id      text NOT NULL,
    breached_since timestamptz NOT NULL,
    value          double precision NOT NULL,
    PRIMARY KEY (tenant_id, rule_id, device_id),
    FOREIGN KEY (tenant_id, rule_id) REFERENCES alert_rules ON DELETE CASCADE
);

-- cause: what an alert is about, such as 'rule:<id>:<device>'. Acknowledged and cleared are facts of their own.
CREATE TABLE alerts (
    tenant_id       text NOT NULL REFERENCES tenants,
    id              bigint GENERATED ALWAYS AS IDENTITY,
    cause           text NOT NULL,
    rule_id         uuid,
    kind            text NOT NULL,
    device_id       text,
    site_id         text,
    severity        smallint NOT NULL CHECK (severity BETWEEN 1 AND 5),
    summary         text NOT NULL,
    details         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    count           int NOT NULL DEFAULT 1,
    opened_at       timestamptz NOT NULL,
    last_at         timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    cleared_at      timestamptz,
    cleared_by      text,
    silenced_until  timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX alerts_one_open ON alerts (tenant_id, cause) WHERE cleared_at IS NULL;
CREATE INDEX alerts_by_cause ON alerts (tenant_id, cause, id DESC);
CREATE INDEX alerts_by_time ON alerts (tenant_id, opened_at DESC, id DESC);

CREATE TABLE alert_changes (
    tenant_id text NOT NULL REFERENCES tenants,
    cursor    bigint GENERATED ALWAYS AS IDENTITY,
    alert_id  bigint NOT NULL,
    change    text NOT NULL CHECK (change IN ('opened', 'raised', 'acknowledged', 'unacknowledged', 'cleared')),
    at        timestamptz NOT NULL,
    actor     text NOT NULL,
    PRIMARY KEY (tenant_id, cursor)
);

-- Where alerts can go. config has no secret; secrets are never read back by the API, the newest comes first.
CREATE TABLE integrations (
    tenant_id  text NOT NULL REFERENCES tenants,
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    name       text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('webhook', 'mqtt', 'email', 'home_assistant')),
    enabled    boolean NOT NULL DEFAULT true,
    config     jsonb NOT NULL CHECK (jsonb_typeof(config) = 'object'),
    secrets    text[] NOT NULL DEFAULT '{}' CHECK (cardinality(secrets) <= 2),
    version    int NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);

-- Which alerts go there. severities is the one field that decides by severity; paused_until: the circuit is open.
CREATE TABLE alert_routes (
    tenant_id      text NOT NULL REFERENCES tenants,
    id             uuid NOT NULL DEFAULT gen_random_uuid(),
    integration_id uuid NOT NULL,
    name           text NOT NULL,
    enabled        boolean NOT NULL DEFAULT true,
    severities     smallint[] NOT NULL DEFAULT '{1,2,3,4,5}'
                   CHECK (cardinality(severities) > 0 AND severities <@ '{1,2,3,4,5}'::smallint[]),
    kinds          text[] CHECK (cardinality(kinds) > 0),
    site_ids       text[] CHECK (cardinality(site_ids) > 0),
    device_ids     text[] CHECK (cardinality(device_ids) > 0),
    deliver_on     text[] NOT NULL DEFAULT '{opened}'
                   CHECK (cardinality(deliver_on) > 0
                          AND deliver_on <@ '{opened,raised,acknowledged,unacknowledged,cleared}'::text[]),
    failures       int NOT NULL DEFAULT 0,
    paused_until   timestamptz,
    version        int NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations ON DELETE CASCADE
);

-- The outbox: written in the transaction of the change that it tells of.
CREATE TABLE deliveries (
    tenant_id      text NOT NULL REFERENCES tenants,
    id             bigint GENERATED ALWAYS AS IDENTITY,
    route_id       uuid,
    integration_id uuid NOT NULL,
    alert_id       bigint,
    change         text NOT NULL,
    change_cursor  bigint,
    payload        jsonb NOT NULL CHECK (jsonb_typeof(payload) = 'object'),
    state          text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'SENDING', 'DELIVERED', 'DEAD', 'DISCARDED')),
    attempts       int NOT NULL DEFAULT 0,
    next_at        timestamptz NOT NULL DEFAULT now(),
    claimed_until  timestamptz,
    last_error     text,
    last_status    int,
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES integrations ON DELETE CASCADE
);
CREATE UNIQUE INDEX deliveries_once ON deliveries (tenant_id, route_id, change_cursor);
CREATE INDEX deliveries_due ON deliveries (tenant_id, next_at) WHERE state IN ('PENDING', 'SENDING');
CREATE INDEX deliveries_finished ON deliveries (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX deliveries_by_time ON deliveries (tenant_id, created_at DESC, id DESC);

CREATE TABLE delivery_attempts (
    tenant_id   text NOT NULL REFERENCES tenants,
    delivery_id bigint NOT NULL,
    number      int NOT NULL,
    at          timestamptz NOT NULL,
    ok          boolean NOT NULL,
    status      int,
    duration_s  double precision NOT NULL,
    error       text,
    PRIMARY KEY (tenant_id, delivery_id, number),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES deliveries ON DELETE CASCADE
);

-- Refused messages, a sample of each reason. authenticated: who sent it had proved who he was.
CREATE TABLE quarantine (
    tenant_id     text NOT NULL REFERENCES tenants,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    received_at   timestamptz NOT NULL,
    transport     text NOT NULL CHECK (transport IN ('mqtt', 'http')),
    topic         text NOT NULL,
    device_id     text,
    reason        text NOT NULL,
    detail        text NOT NULL,
    payload       bytea NOT NULL,
    size          int NOT NULL,
    authenticated boolean NOT NULL,
    state         text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'replayed', 'discarded')),
    attempts      int NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX quarantine_by_reason ON quarantine (tenant_id, reason, received_at DESC, id DESC);
CREATE INDEX quarantine_by_time ON quarantine (tenant_id, received_at DESC, id DESC);

-- What came in an hour. outcome: ACCEPTED, or the reason of a refusal.
CREATE TABLE ingest_counts (
    tenant_id text NOT NULL REFERENCES tenants,
    hour      timestamptz NOT NULL,
    outcome   text NOT NULL,
    messages  bigint NOT NULL,
    metrics   bigint NOT NULL,
    bytes     bigint NOT NULL,
    PRIMARY KEY (tenant_id, hour, outcome)
);

-- What Zigbee2MQTT tells of its devices; ieee as in "0x00158d0001dc126a".
CREATE TABLE zigbee_devices (
    tenant_id       text NOT NULL REFERENCES tenants,
    base_topic      text NOT NULL,
    ieee            text NOT NULL,
    friendly_name   text NOT NULL,
    type            text NOT NULL,
    vendor          text,
    model           text,
    description     text,
    power_source    text,
    interview_state text,
    sw_version      text,
    disabled        boolean NOT NULL DEFAULT false,
    available       boolean,
    link_quality    int,
    battery_level   double precision,
    last_seen_at    timestamptz,
    updated_at      timestamptz NOT NULL,
    removed_at      timestamptz,
    PRIMARY KEY (tenant_id, base_topic, ieee)
);

SELECT homeiq_isolate(name::regclass)
  FROM unnest(ARRAY['api_tokens', 'subscriptions', 'subscription_audit', 'subscription_reminders', 'idempotency_keys',
                    'ingest_devices', 'device_states', 'alert_rules', 'rule_states', 'alerts', 'alert_changes',
                    'integrations', 'alert_routes', 'deliveries', 'delivery_attempts', 'quarantine', 'ingest_counts',
                    'zigbee_devices']) AS name;

SELECT homeiq_let_work(name::regclass, rights)
  FROM (VALUES ('tenants', 'SELECT'),
               ('subscriptions', 'SELECT'),
               ('ingest_devices', 'SELECT'),
               ('device_states', 'SELECT, INSERT, UPDATE'),
               ('alert_rules', 'SELECT'),
               ('deliveries', 'SELECT, UPDATE'),
               ('quarantine', 'SELECT, INSERT, DELETE'),
               ('ingest_counts', 'SELECT, INSERT, UPDATE, DELETE'),
               ('idempotency_keys', 'SELECT, DELETE')) AS given (name, rights);

CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON tenants FOR EACH ROW EXECUTE FUNCTION homeiq_tell();
CREATE TRIGGER tell AFTER INSERT OR DELETE OR UPDATE OF scopes, expires_at, revoked_at, token_hash ON api_tokens
    FOR EACH ROW EXECUTE FUNCTION homeiq_tell();
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON subscriptions FOR EACH ROW EXECUTE FUNCTION homeiq_tell();
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON ingest_devices FOR EACH ROW EXECUTE FUNCTION homeiq_tell();
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON alert_rules FOR EACH ROW EXECUTE FUNCTION homeiq_tell();
CREATE TRIGGER tell AFTER INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION homeiq_tell();
CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON ingest_devices FOR EACH ROW EXECUTE FUNCTION homeiq_mark();
CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON device_states FOR EACH ROW EXECUTE FUNCTION homeiq_mark();
