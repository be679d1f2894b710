"""Signatures of webhooks."""

import base64

from homeiq_server.delivery.signature import new_secret, signature


def test_the_signature_is_the_one_that_the_standard_gives_as_its_example() -> None:
    made = signature(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_active_secret_signs_and_the_newest_comes_first() -> None:
    new, old = new_secret(), new_secret()
    first, second = signature([new, old], "msg_1", 1, b"{}").split(" ")
    assert first == signature([new], "msg_1", 1, b"{}")
    assert second == signature([old], "msg_1", 1, b"{}")


def test_a_secret_is_256_random_bits_in_the_form_of_the_standard() -> None:
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret != new_secret()
