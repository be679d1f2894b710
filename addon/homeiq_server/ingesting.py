"""All that knows devices which send by MQTT and HTTP: their tenants, alerts, and where these go."""
