"""The study's tested code, a room per step of the way: each room's docstring says what it owns and what it imports.

From the ground up: `paths`, `files`, `progress`, `vectors`, `environment`, `machine`, `schedule`, `warm`; `params`;
`scale`; `stages`; `data`; `encoders`; `retrieval`; `evaluation`; `training`; `figures`; `systems`; `claims`; `report`;
`site`; and above all rooms `graph`, `notebooks`, `reproduce`, `run`, `sources`, `matching`, `own`, `app`,
`checking`. A module imports what stands below its room, or beside it in the room, never in a circle.
"""
