// id: audit-gone
// title: Nodes that left the case and stay because somebody attached something
// answers: What in the graph the case no longer names.
// param: limit integer 1..1000 = 100 "at most so many rows"
// returns: node, name, attached
// mode: audit
// false_positives: They are no fault: a person's notes hang on them. Delete what you attached, and publish deletes
//   the node.
MATCH (n:Account|Identifier|Ring|Bundle)
WHERE n.gone
WITH n LIMIT 10000
RETURN head([l IN labels(n) WHERE l IN ['Account', 'Identifier', 'Ring', 'Bundle']]) AS node,
  coalesce(n.account_id, n.ring_id, n.bundle_id, n.kind + ' ' + n.label, '') AS name, COUNT { (n)--() } AS attached
ORDER BY node, name
LIMIT $limit
