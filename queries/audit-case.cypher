// id: audit-case
// title: A mirror that is not whole, or of more than one case
// answers: Whether the last publish came to its end, and the graph is that of one case.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: case_id, problem
// mode: audit
// false_positives: While linkage neo4j publish runs the mirror is not whole yet.
OPTIONAL MATCH (c:LinkageCase)
WITH collect(c) AS cases
UNWIND CASE WHEN cases = [] THEN [null] ELSE cases END AS c
WITH c.id AS case_id, CASE
  WHEN c IS NULL THEN 'no case was published'
  WHEN size(cases) > 1 THEN 'one of ' + toString(size(cases)) + ' cases in one graph'
  WHEN NOT coalesce(c.complete, false) THEN 'the last publish did not come to its end: run linkage neo4j publish'
END AS problem
WHERE problem IS NOT NULL
RETURN case_id, problem
ORDER BY case_id
LIMIT $limit
