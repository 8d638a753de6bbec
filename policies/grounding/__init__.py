"""The nano Grounding DINO: data, model, training, calibration. What it gives lies in `policies/weights/grounding-nano`.

`more` and `prepare` fetch and make what training starts from; `train` trains by a recipe; `calibrate` fits its scores.
The expert that uses the result is `tools/ground.py`; `p2g bench run grounding` measures it.
"""
