"""Webhooks: URLs that are told of changes, signed as the Standard Webhooks specification (1.0.0) says.

Owns the tables `webhooks` and `webhook_deliveries`. The job `webhooks.deliver` runs for as long as a webhook
is active, in one process of the cluster. It makes deliveries of the log of changes, in the transaction that
moves the webhooks' positions on, and sends those that are due. Of each row only the first delivery that waits
has a `next_attempt_at`, so the changes of a row arrive in their order, and a row that fails holds up no
other. When a process dies between a request and its record, the next one sends it again, under the same id:
at least once.
"""
