"""Spark as an engine: the same steps up to the sightings that accounts share, over exports of any size and place.

`session` starts it, `exports` finds the files, `read` makes contract tables of them, `dialect` and `tables` run our SQL
there, `functions` what is no SQL, `sightings` leads the way, and `detect` holds all together. Importing this package
imports no Spark.
"""
