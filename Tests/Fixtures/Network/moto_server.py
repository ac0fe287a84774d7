"""AWS as moto pretends to be it, with a user who may list and read certificates; it checks signatures and policies.

Prints the port, the access key and the secret key on one line.
"""
import json
import os
import sys

# The first three actions need no permission: they make the user.
os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "3"

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
iam = boto3.client(
    "iam", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1", aws_access_key_id="none",
    aws_secret_access_key="none")
iam.create_user(UserName="robot")
statement = {"Effect": "Allow", "Action": ["acm:ListCertificates"], "Resource": "*"}
iam.put_user_policy(
    UserName="robot", PolicyName="list",
    PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
key = iam.create_access_key(UserName="robot")["AccessKey"]
print(port, key["AccessKeyId"], key["SecretAccessKey"], flush=True)
sys.stdin.read() if not sys.stdin.closed else None
server._thread.join()
