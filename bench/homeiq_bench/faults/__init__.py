"""Simulated homes with injected faults, and how well the insights find them, beside the rules that people use.

Generated data rank rules; they do not prove how precise a rule is in the field. What is modelled is in the modules:
the people and the weather (``household``), how devices speak (``regimes``), what goes wrong with one of them
(``injections``) or with many at once (``disturbances``), what Home Assistant makes of it (``state_machine``), and
batteries (``batteries``). What is not: devices that were never seen by the generator's author, updates of firmware
that change how a device speaks, radio interference that comes and goes with a neighbour's habits, children, pets,
guests, automations that switch things at fixed times, and clocks that are wrong.
"""
