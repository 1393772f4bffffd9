"""What a person does with a pump, step by step and without a screen: fields, review, consent, sending (the order of every face).

A *task* asks for values (`fields`) and makes them into a *proposal* (`propose`: what would be sent, reviewed beside the present). Nothing
leaves for the pump but through `consent.carry_out`, which asks for all that the review wants. A *walk* is a checklist with readings of the
pump. Faces show fields and proposals; they decide nothing. Not here: words and tables (`itbpump.wording`), judgement (`itbpump.safety`).
"""
