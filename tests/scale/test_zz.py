import asyncpg, time, json, itertools
from tests.scale.data import Sizes, fill
from tests.scale import plans
from tests.scale.plans import cost_of
from tests.scale.wire import tapped
from tests.scale.test_lists import LISTS
async def test_t(services, running_app, tmp_path):
    with services.fresh_database("scale") as url:
        t=time.time(); await fill(url, Sizes()); print("FILL", time.time()-t)
        c=await asyncpg.connect(url)
        await c.execute("SET plan_cache_mode = force_custom_plan")
        plans.WARM=0
        import tempfile, pathlib
        with tempfile.TemporaryDirectory(prefix="hw") as folder:
            async with tapped(url, pathlib.Path(folder)) as wire, running_app(database_url=wire.url, redis_url="memory") as client:
                doc=(await client.get("/openapi.json")).json()
                t=time.time(); n=0
                for hot in LISTS:
                    ps={p["name"]:p for p in doc["paths"][hot.path]["get"]["parameters"] if p["in"]=="query"}
                    print("#####", hot.path, set(ps)-set(hot.filters))
                    def enum(p):
                        s=p["schema"]
                        for o in [s,*s.get("anyOf",[])]:
                            if "enum" in o: return o["enum"]
                        return []
                    orders=[{}]+[{"order_by":o,"order_direction":d} for o in (enum(ps["order_by"]) if "order_by" in ps else []) for d in enum(ps["order_direction"])]
                    filters=[{}]+[{k:v} for k,vs in hot.filters.items() for v in vs]
                    for f,o in itertools.product(filters, orders):
                        q={"limit":"20",**f,**o}
                        wire.taken()
                        r=await client.get(hot.path, params=q); 
                        assert r.status_code==200, (q, r.text)
                        for s in wire.taken():
                            if '"jobs"' in s.sql or "FROM jobs" in s.sql: continue
                            k=await cost_of(c,s); n+=1
                            count="count(" in s.sql.lower()
                            bad = k.scanned & {hot.table} or (not count and k.rows>2000)
                            if bad: print("   ", f,o, "COUNT" if count else "PAGE", k.rows,k.pages,k.sorted_rows,set(k.scanned))
                print("EXPLAINED", n, time.time()-t)
        await c.close()
