from api_client import CloudBoltAPIClient
username = "alice"
password = "demo"
hostname = "127.0.0.1"
c = CloudBoltAPIClient(username, password, host=hostname, port=$PORT, protocol="http")
c.get()
c.get("/api/v2/users/2/orderable-groups")
c.get("/api/v2/groups/2/orderable-environments")
body = """
{
    "group": "/api/v2/groups/2",
    "submit-now": "true",
    "items": {
        "deploy-items": [
            {
                "blueprint": "/api/v2/blueprints/1",
                "blueprint-items-arguments": {
                    "build-item-Server": {
                        "attributes": {
                            "quantity": 1
                        },
                        "environment": "/api/v2/environments/3",
                        "parameters": {
                            "expiration-date": "$EXPIRES",
                            "os_build": "/api/v2/os-builds/1",
                            "vm-size": "small"
                        }
                    }
                },
                "service-name": ""
            }
        ]
    }
}"""
c.post("/api/v2/orders/", body=body)
import time
while c.get("/api/v2/orders/4")["status"] == "ACTIVE": time.sleep(0.1)

c.get("/api/v2/orders/4")["status"]
c.get("/api/v2/orders/4")["_links"]["servers"]
c.post("/api/v2/orders/", body={"group": "/api/v2/groups/2"})["_links"]["self"]
body = """
{
    "environment": "/api/v2/environments/3",
    "server": "/api/v2/servers/3",
    "parameters": {
        "mem_size": "2 GB"
    }
}"""
c.post("/api/v2/orders/5/mod-items/", body=body)
c.post("/api/v2/orders/5/actions/submit")["status"]
while c.get("/api/v2/orders/5")["status"] == "ACTIVE": time.sleep(0.1)

c.get("/api/v2/servers/3")["mem-size"]
body = """
{
   "group": "/api/v2/groups/2",
   "items": {
       "decom-items": [
           {
               "environment": "/api/v2/environments/3",
               "servers": [
                   "/api/v2/servers/3"
               ]
           }
       ]
   }
}"""
c.post("/api/v2/orders/", body=body)
c.post("/api/v2/orders/6/actions/submit")["status"]
while c.get("/api/v2/orders/6")["status"] == "ACTIVE": time.sleep(0.1)

c.get("/api/v2/servers/3")["status"]
c._bearer = "a token that has expired"
c.get("/api/v2/user")["username"]
c.get("user")["username"]
c.delete("/api/v2/servers/2/")
c.put("/api/v2/", {})
c.get("/api/v2/orders/999")
c.get("https://elsewhere.example/api/v2/")
CloudBoltAPIClient(username, "wrong", host=hostname, port=$PORT, protocol="http").get()
CloudBoltAPIClient("jdoe", password, domain="example.com", host=hostname, port=$PORT, protocol="http").get()
s = CloudBoltAPIClient(username, password, host=hostname, port=$TLS)
s.get("user")
s = CloudBoltAPIClient(username, password, host=hostname, port=$TLS, verify=False)
s.get("user")["username"]
s = CloudBoltAPIClient(username, password, host=hostname, port=$TLS, verify="$CA")
s.get("user")["username"]
