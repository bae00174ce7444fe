"""The HTTP API: RabbitMQ's management plugin as tools and scripts know it.

`serving` runs it, `app` finds the resource of a request, `resource` carries the request out; what there is to ask is in
`routes`, one file per resource, and what an object looks like as JSON in `shapes`.
"""
