"""Looks at a page that is served elsewhere, and puts a checkout up as a Space.

It knows nothing about how a page is made. It shows no names of its own: a process that only talks with a page imports
`psmooth.deployment.page`, and neither torch nor a model.
"""
