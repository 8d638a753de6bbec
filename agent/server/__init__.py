"""`p2g serve`: questions over HTTP, OpenAI-compatible and with evidence.

`app.py` has the routes, `desk.py` the queue and the threads that questions run in, `chat.py` what OpenAI's API means
for a P²G agent, `intake.py` and `fetch.py` how pictures come in, `guard.py` what stands before every route.
"""
