"""What is wrong with devices: streaming rules, each in a file of its own with its formula, its source and its evidence.

Pure: no I/O, no clock but the times of what is observed. Standard library and msgspec only. Each state is a msgspec
struct, so that a checkpoint is one call.
"""
