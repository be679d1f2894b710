"""The link to an MQTT broker: what devices send comes in, acknowledged once it is kept; what we send goes out.

``link`` connects, over and over, and tells how it is; ``client`` is one connection, and the only file that knows gmqtt;
``dispatch`` knows whom a message concerns, ``reception`` holds what came and is not acknowledged yet, ``backlog`` knows
whether that had waited at the broker.

The session is persistent, also of servers that share a subscription (``mqtt_share``). Measured with Mosquitto 2.1.2:

* A server that is absent: what comes for its session is queued meanwhile, up to ``max_queued_messages`` (1,000 unless
  configured). The rest is dropped, and who sent it is not told. What it had not acknowledged is sent again when it
  comes back.
* One of a group that is absent keeps its share: of 5,000 messages, half went to the other, and 1,000 of the other half
  were kept. With ``max_queued_messages 0`` all of them were, and came when it was back.
* With a session that ends with the connection the others get what comes from then on, but what the absent one had not
  acknowledged is given to nobody: 50 of 50 were lost. With all absent, everything is.

So the limit has to be lifted, by ``max_queued_messages 0``, where more than 1,000 messages come while a server is away;
and each of a group has a client id of its own that it comes back with.

Our window of 2,000 unacknowledged messages (``Receive Maximum``) is honoured by Mosquitto for MQTT 5. A broker of 3.1.1
cannot be told: it sends ``max_inflight_messages`` at once, 20 unless configured, which bounds how fast we can be.
"""
