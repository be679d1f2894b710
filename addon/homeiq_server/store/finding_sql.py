"""Statements about findings, and the parts that several of them share."""

# ruff: noqa: S608 - queries are put together of constants; values are bound

from typing import Final

MUTED: Final = "(m.until IS NULL OR m.until > now())"
"""A mute whose time is over is none."""

COLUMNS: Final = """
    f.id::text AS id, f.kind, f.subject_type, f.subject, f.source, f.device_id, d.shown_name AS device_name,
    f.entity_id, f.severity, f.title, f.explanation, f.evidence, f.affected, f.since,
    f.opened_at, f.changed_at, f.acknowledged_at, f.resolved_at,
    m.until AS muted_until, m.kind IS NOT NULL AS muted
"""

JOINS: Final = f"""
    LEFT JOIN devices d ON d.tenant_id = f.tenant_id AND d.id = f.device_id
    LEFT JOIN mutes m ON m.tenant_id = f.tenant_id AND m.source = f.source AND m.kind = f.kind
                     AND m.subject = f.subject AND {MUTED}
"""

OPEN_AND_HEARD: Final = f"""
    f.resolved_at IS NULL
    AND NOT EXISTS (SELECT FROM mutes m WHERE m.tenant_id = f.tenant_id AND m.source = f.source AND m.kind = f.kind
                                          AND m.subject = f.subject AND {MUTED})
"""

# A mute that is over is told like one that was lifted, so that those who follow show the finding again.
END_MUTES: Final = """
    WITH over AS (
        DELETE FROM mutes WHERE tenant_id = $1 AND source = $2 AND until <= now() RETURNING kind, subject
    )
    INSERT INTO finding_changes (tenant_id, finding_id, change, at)
    SELECT $1, f.id, 'unmuted', $3
      FROM findings f JOIN over USING (kind, subject)
     WHERE f.tenant_id = $1 AND f.source = $2 AND f.resolved_at IS NULL
"""
# After tenant, source and time: whether absence means that it is gone, the kinds that were looked for, the conditions.
RECONCILE: Final = f"""
    WITH given AS (
        SELECT kind, subject_type, subject, device_id, entity_id, severity, title, explanation, evidence, since,
               ARRAY(SELECT jsonb_array_elements_text(affected::jsonb)) AS affected
          FROM unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::smallint[], $12::text[],
                      $13::text[], $14::jsonb[], $15::timestamptz[], $16::text[])
            AS given (kind, subject_type, subject, device_id, entity_id, severity, title, explanation, evidence, since,
                      affected)
    ), changed AS (
        UPDATE findings f
           SET subject_type = given.subject_type, device_id = given.device_id, entity_id = given.entity_id,
               severity = given.severity, title = given.title, explanation = given.explanation,
               evidence = given.evidence, affected = given.affected, changed_at = $3
          FROM given
         WHERE f.tenant_id = $1 AND f.source = $2 AND f.resolved_at IS NULL
           AND f.kind = given.kind AND f.subject = given.subject
           AND (f.subject_type, f.device_id, f.entity_id, f.severity, f.title, f.explanation, f.evidence, f.affected)
               IS DISTINCT FROM
               (given.subject_type, given.device_id, given.entity_id, given.severity, given.title, given.explanation,
                given.evidence, given.affected)
    ), opened AS (
        INSERT INTO findings (tenant_id, source, kind, subject_type, subject, device_id, entity_id, severity, title,
                              explanation, evidence, since, affected, opened_at, changed_at)
        SELECT $1, $2, kind, subject_type, subject, device_id, entity_id, severity, title, explanation, evidence, since,
               affected, $3, $3
          FROM given
        ON CONFLICT (tenant_id, source, kind, subject) WHERE resolved_at IS NULL DO NOTHING
        RETURNING id, kind, subject
    ), resolved AS (
        UPDATE findings f SET resolved_at = $3, changed_at = $3
         WHERE f.tenant_id = $1 AND f.source = $2 AND f.resolved_at IS NULL AND $4
           AND ($5::text[] IS NULL OR f.kind = ANY($5))
           AND NOT EXISTS (SELECT FROM given WHERE given.kind = f.kind AND given.subject = f.subject)
        RETURNING id, kind, subject
    ), told AS (
        INSERT INTO finding_changes (tenant_id, finding_id, change, at)
        SELECT $1, id, change, $3
          FROM (SELECT id, kind, subject, 'resolved' AS change FROM resolved
                UNION ALL SELECT id, kind, subject, 'opened' FROM opened) AS news
         WHERE NOT EXISTS (SELECT FROM mutes m WHERE m.tenant_id = $1 AND m.source = $2 AND m.kind = news.kind
                                                 AND m.subject = news.subject AND {MUTED})
    )
    SELECT (SELECT count(*) FROM opened) AS opened, (SELECT count(*) FROM resolved) AS resolved
"""
