"""The books: double entry, every amount an integer of minor units, every transaction zero per currency.

Sign convention: a posting's amount is **positive for a credit and negative for a debit**. What the bank owes
(customers, suspense, doubts) therefore has a positive balance, what it has (cash) a negative one, and a customer's
posting reads as the customer reads it.
"""
