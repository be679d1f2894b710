-- Devices as the registries tell of them, what was measured of them, and what is wrong with them.
-- Every table has its tenant first. homeiq_isolate() gives it to the two roles that the pool may act as.

CREATE FUNCTION homeiq_isolate(target regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    -- The setting reads '' instead of NULL once a transaction that set it has ended.
    EXECUTE format($policy$CREATE POLICY tenant ON %s TO homeiq_app
        USING (tenant_id = nullif(current_setting('app.tenant_id', true), ''))
        WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), ''))$policy$, target);
    EXECUTE format('CREATE POLICY owner ON %s TO CURRENT_USER USING (true) WITH CHECK (true)', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO homeiq_app', target);
END $$;

CREATE TABLE tenants (
    tenant_id  text PRIMARY KEY CHECK (tenant_id <> ''),
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO tenants (tenant_id, name) VALUES ('home', 'Home');

-- Home Assistants; the revision is that of the newest snapshot or diff that was applied.
CREATE TABLE sources (
    tenant_id text NOT NULL REFERENCES tenants,
    source    text NOT NULL,
    revision  bigint NOT NULL,
    synced_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source)
);

CREATE TABLE floors (
    tenant_id  text NOT NULL REFERENCES tenants,
    source     text NOT NULL,
    id         text NOT NULL,
    name       text NOT NULL,
    level      int,
    updated_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, source, id)
);

CREATE TABLE areas (
    tenant_id  text NOT NULL REFERENCES tenants,
    source     text NOT NULL,
    id         text NOT NULL,
    name       text NOT NULL,
    floor_id   text,
    updated_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, source, id)
);

CREATE TABLE labels (
    tenant_id  text NOT NULL REFERENCES tenants,
    source     text NOT NULL,
    id         text NOT NULL,
    name       text NOT NULL,
    updated_at timestamptz NOT NULL,
    removed_at timestamptz,
    PRIMARY KEY (tenant_id, source, id)
);

CREATE TABLE config_entries (
    tenant_id   text NOT NULL REFERENCES tenants,
    source      text NOT NULL,
    id          text NOT NULL,
    domain      text NOT NULL,
    title       text NOT NULL,
    state       text NOT NULL,
    disabled_by text,
    updated_at  timestamptz NOT NULL,
    removed_at  timestamptz,
    PRIMARY KEY (tenant_id, source, id)
);

-- A device's id is unique in the world, so that it needs no source in its key. Nothing is ever deleted here.
CREATE TABLE devices (
    tenant_id         text NOT NULL REFERENCES tenants,
    id                text NOT NULL,
    source            text NOT NULL,
    name              text,
    name_by_user      text,
    shown_name        text NOT NULL GENERATED ALWAYS AS (coalesce(name_by_user, name, id)) STORED,
    manufacturer      text,
    model             text,
    model_id          text,
    sw_version        text,
    hw_version        text,
    serial_number     text,
    area_id           text,
    integration       text,
    config_entry_id   text,
    via_device_id     text,
    parent_id         text,
    entry_type        text,
    disabled_by       text,
    configuration_url text,
    labels            text[] NOT NULL DEFAULT '{}',
    identifiers       jsonb NOT NULL DEFAULT '[]',
    connections       jsonb NOT NULL DEFAULT '[]',
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    removed_at        timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX devices_by_name ON devices (tenant_id, shown_name, id);
CREATE INDEX devices_by_source ON devices (tenant_id, source);
CREATE INDEX devices_by_hub ON devices (tenant_id, via_device_id) WHERE via_device_id IS NOT NULL;
CREATE INDEX devices_by_parent ON devices (tenant_id, parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE entities (
    tenant_id          text NOT NULL REFERENCES tenants,
    source             text NOT NULL,
    id                 text NOT NULL,
    entity_id          text NOT NULL,
    name               text,
    device_id          text,
    area_id            text,
    integration        text,
    config_entry_id    text,
    unique_id          text,
    device_class       text,
    state_class        text,
    unit               text,
    entity_category    text,
    translation_key    text,
    disabled_by        text,
    hidden_by          text,
    registered         boolean NOT NULL,
    supported_features bigint NOT NULL DEFAULT 0,
    capabilities       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(capabilities) = 'object'),
    labels             text[] NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    removed_at         timestamptz,
    PRIMARY KEY (tenant_id, source, id)
);
CREATE INDEX entities_by_device ON entities (tenant_id, device_id) WHERE device_id IS NOT NULL;
CREATE INDEX entities_by_entity_id ON entities (tenant_id, source, entity_id);

-- What was measured of a device last.
CREATE TABLE device_facts (
    tenant_id        text NOT NULL REFERENCES tenants,
    device_id        text NOT NULL,
    available        boolean,
    battery_level    double precision,
    battery_low      boolean,
    link_quality     double precision,
    link_unit        text,
    last_seen_at     timestamptz,
    last_reported_at timestamptz,
    PRIMARY KEY (tenant_id, device_id)
);

-- What it comes to. score is NULL while the device is being learnt; deductions is a list of
-- {"name", "points", "since", "evidence"}, battery_end {"level", "expected", "earliest", "latest"}; times in ISO 8601.
CREATE TABLE device_health (
    tenant_id   text NOT NULL REFERENCES tenants,
    device_id   text NOT NULL,
    state       text NOT NULL CHECK (state IN ('learning', 'good', 'fair', 'poor', 'affected')),
    score       smallint CHECK (score BETWEEN 0 AND 100),
    confidence  double precision NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    deductions  jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(deductions) = 'array'),
    battery_end jsonb CHECK (jsonb_typeof(battery_end) = 'object'),
    assessed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, device_id)
);

CREATE TABLE device_health_history (
    tenant_id  text NOT NULL REFERENCES tenants,
    device_id  text NOT NULL,
    at         timestamptz NOT NULL,
    state      text NOT NULL,
    score      smallint,
    deductions jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (tenant_id, device_id, at)
);
CREATE INDEX device_health_history_by_time ON device_health_history (tenant_id, at);

-- One cause, one finding. subject is what it is about: a device, an entity, a config entry, an integration, the house.
CREATE TABLE findings (
    tenant_id       text NOT NULL REFERENCES tenants,
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    kind            text NOT NULL,
    subject_type    text NOT NULL CHECK (subject_type IN ('device', 'entity', 'config_entry', 'integration', 'house')),
    subject         text NOT NULL,
    source          text NOT NULL,
    device_id       text,
    entity_id       text,
    severity        smallint NOT NULL CHECK (severity BETWEEN 1 AND 5),
    title           text NOT NULL,
    explanation     text NOT NULL,
    evidence        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(evidence) = 'object'),
    affected        text[] NOT NULL DEFAULT '{}',
    since           timestamptz NOT NULL,
    opened_at       timestamptz NOT NULL,
    changed_at      timestamptz NOT NULL,
    acknowledged_at timestamptz,
    resolved_at     timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX findings_one_open ON findings (tenant_id, source, kind, subject) WHERE resolved_at IS NULL;
CREATE INDEX findings_by_device ON findings (tenant_id, device_id, opened_at DESC);
CREATE INDEX findings_open_by_device ON findings (tenant_id, device_id) WHERE resolved_at IS NULL;
CREATE INDEX findings_by_time ON findings (tenant_id, opened_at DESC, id DESC);

-- A mute outlives the finding that it was set on: one that comes back within it is as silent. until NULL: for ever.
CREATE TABLE mutes (
    tenant_id text NOT NULL REFERENCES tenants,
    source    text NOT NULL,
    kind      text NOT NULL,
    subject   text NOT NULL,
    until     timestamptz,
    muted_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source, kind, subject)
);

-- What became of findings, in order, for those who follow.
CREATE TABLE finding_changes (
    tenant_id  text NOT NULL REFERENCES tenants,
    cursor     bigint GENERATED ALWAYS AS IDENTITY,
    finding_id uuid NOT NULL,
    change     text NOT NULL CHECK (change IN ('opened', 'resolved', 'acknowledged', 'unacknowledged',
                                                 'muted', 'unmuted')),
    at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, cursor)
);
CREATE INDEX finding_changes_by_time ON finding_changes (tenant_id, at);

-- Numbers by the hour, for plots. The mean is sum / count.
CREATE TABLE entity_hours (
    tenant_id text NOT NULL REFERENCES tenants,
    source    text NOT NULL,
    id        text NOT NULL,
    hour      timestamptz NOT NULL,
    count     bigint NOT NULL CHECK (count > 0),
    min       double precision NOT NULL,
    max       double precision NOT NULL,
    sum       double precision NOT NULL,
    last      double precision NOT NULL,
    last_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source, id, hour)
);
CREATE INDEX entity_hours_by_hour ON entity_hours (tenant_id, hour);

-- What the insights remember of each entity and device, so that a restart forgets nothing.
CREATE TABLE insight_state (
    tenant_id text NOT NULL REFERENCES tenants,
    source    text NOT NULL,
    key       text NOT NULL,
    state     bytea NOT NULL,
    saved_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source, key)
);

SELECT homeiq_isolate(name::regclass)
  FROM unnest(ARRAY['tenants', 'sources', 'floors', 'areas', 'labels', 'config_entries', 'devices', 'entities',
                    'device_facts', 'device_health', 'device_health_history', 'findings', 'mutes', 'finding_changes',
                    'entity_hours', 'insight_state']) AS name;
