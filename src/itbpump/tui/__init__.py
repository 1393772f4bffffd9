"""The clinician's screen (Textual), and the same tasks as a line-by-line dialogue. It holds no logic of its own.

`app` is the program, `screens/` what is shown, `reader` the one thread that owns the pump, `plain` the dialogue. What it knows comes from
`Pump`, `review`, `forecast`, through `workflow` and `wording`. No network but the line to the pump.
"""
