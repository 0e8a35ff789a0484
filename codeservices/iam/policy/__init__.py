"""The policy language: documents in; allow or deny, the statement that decided and why, out.

policy = parse(document, arn)           # or MalformedPolicy with every fault's line and column
decision = evaluate([policy], "codecommit:GitPush", repository_arn, {"codecommit:References": "refs/heads/main"})

reader      strict JSON that knows where each value stands
patterns    wildcards and variables
conditions  the operators of the Condition element
document    the grammar of identity policies; trust: that of a role's trust policy, and its decision
index       many policies compiled together for fast decisions
evaluation  the rules by which statements decide
"""

from codeservices.iam.policy.document import parse
from codeservices.iam.policy.evaluation import compiled, evaluate, matching
from codeservices.iam.policy.model import Context, Decision, Limit, MalformedPolicy, Policy, Problem, Statement
from codeservices.iam.policy.reader import Position
from codeservices.iam.policy.trust import Caller, TrustDecision, TrustPolicy, evaluate_trust, parse_trust

__all__ = [
    "Caller",
    "Context",
    "Decision",
    "Limit",
    "MalformedPolicy",
    "Policy",
    "Position",
    "Problem",
    "Statement",
    "TrustDecision",
    "TrustPolicy",
    "compiled",
    "evaluate",
    "evaluate_trust",
    "matching",
    "parse",
    "parse_trust",
]
