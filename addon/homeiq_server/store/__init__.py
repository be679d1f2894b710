"""The store: devices, what is wrong with them, and (later) tenants, in PostgreSQL. Owns asyncpg.

Each module of queries is a set of functions on a connection that ``Pool.tenant`` gives: the tenant is set there, and
the database itself lets nothing of another tenant through.
"""
