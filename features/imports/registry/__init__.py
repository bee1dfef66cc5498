"""Import of the old documentation registry: systems, ideas, files and audit log of QuestDB or PostgreSQL.

Capture copies the source's rows, as they are, into the import's folder before there is a job; from then on
nobody needs the source, nor its password. Preflight finds the newest version of each id, translates the old
words and validates every row; load, verify and report are those of any import. Systems come before ideas, and
ideas before files, whose bytes are copied from a folder; the audit log comes last.
"""
