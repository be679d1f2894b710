"""A package, because gmqtt installs one of the same name, which would be found first."""
