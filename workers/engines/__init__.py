"""The engines, one room each: a module or a folder that says what the engine promises and declares it as ENGINE."""
