"""The way of an event into the time-series database: points, spool, writer."""
