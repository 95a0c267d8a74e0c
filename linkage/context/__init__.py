"""What is known of addresses and mail domains from tables that the user gives: whose network, and of which type.

`model` has the words, `files` reads the lists, `tables` keeps them in the case, `places` looks values up in them,
`chances` says how likely strangers share an address of a type, `guess` what one looks like without lists, and `shown`
answers people. Nothing is fetched: whoever wants a list downloads it.
"""
