import Testing

@Suite struct LibraryTests {
    @Test func `the bounded libraries behave as Lua's own do`() {
        #expect(
            loadFault(
                #"""
                assert(("ab"):rep(3,",")=="ab,ab,ab" and ("x"):rep(1)=="x" and ("x"):rep(2,"yy")=="xyyx" and ("abc"):rep(5)=="abcabcabcabcabc" and ("a"):rep(0)=="")
                assert(("hello world"):sub(2,3)=="el" and ("%d items"):format(3)=="3 items" and ("%5.1f|%-5s|%05d"):format(3.14159,"ab",42)=="  3.1|ab   |00042")
                assert(("%q"):format("a\nb\0c\"")=='"a\\\nb\\0c\\""' and ("%x %X %o %c %%"):format(255,255,8,65)=="ff FF 10 A %")
                assert(("%s %s %s"):format(nil,true,{})=="nil true table" and ("%10s"):format("x")=="         x" and ("%.2s"):format("abc")=="ab")
                assert(("key = value"):match("^(%w+)%s*=%s*(%w+)$")=="key" and select(2,("key = value"):match("^(%w+)%s*=%s*(%w+)$"))=="value")
                assert(("abc"):find("b",1,true)==2 and ("a.c"):find(".",1,true)==2 and ("abc"):find("")==1 and ("abc"):find("",10)==nil and ("abc"):find("c",-1)==3)
                assert(("THE (quick) fox"):find("%((%a+)%)")==5 and ("f(a(b)c)d"):match("%b()")=="(a(b)c)" and ("THE (quick) fox"):gsub("%f[%a]%a+","w")=="w (w) w")
                assert(("abc"):gsub("","-")=="-a-b-c-" and ("hello"):gsub("l",{l="L"})=="heLLo" and ("hello"):gsub("(h)(e)","%2%1")=="ehllo" and ("abc"):gsub("%w","%0%0")=="aabbcc")
                assert(("abc"):gsub("b",function() return nil end)=="abc" and select(2,("aaa"):gsub("a","b",2))==2 and ("x^y"):gsub("^x","z")=="z^y")
                assert(("  trim "):match("^%s*(.-)%s*$")=="trim" and ("2024-01-02"):match("(%d+)-(%d+)-(%d+)")=="2024" and ("a,b,,c"):gsub(",,",",")=="a,b,c")
                assert(("[test]"):match("%[(.-)%]")=="test" and ("a]b"):match("[]]")=="]" and ("a-b"):match("[a%-]+")=="a-" and ("x"):match("[^%s]")=="x" and ("abc123"):match("[a-c]+")=="abc")
                assert(("aXb"):match("()X()")==2 and ("abab"):match("(ab)%1")=="ab" and ("äö"):len()==4 and ("x"):byte()==120 and string.char(72,105)=="Hi" and ("abc"):reverse()=="cba" and ("aB"):upper()=="AB")
                local n=0 for k,v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do n=n+tonumber(v) end assert(n==3)
                local t={} for w in ("one two"):gmatch("%a*") do t[#t+1]=w end assert(#t==2, #t)
                local p={} for i in ("abc"):gmatch("()") do p[#p+1]=i end assert(#p==4)
                local t={5,3,1,4,2} table.sort(t) assert(table.concat(t,",")=="1,2,3,4,5") table.sort(t,function(a,b) return a>b end) assert(table.concat(t)=="54321")
                table.insert(t,1,9) table.insert(t,0) assert(table.concat(t)=="9543210") assert(table.remove(t)==0 and table.remove(t,1)==9 and #t==5 and table.remove({})==nil)
                assert(table.unpack({1,2,3},2)==2 and select("#",table.unpack({},1,3))==3 and table.pack(1,nil,3).n==3 and table.concat(table.move({1,2,3},1,3,2),",")=="1,1,2,3")
                assert(not pcall(string.rep,"x",1<<40) and not pcall(table.concat,{{}}) and not pcall(string.format,"%d","x") and not pcall(string.find,"a","[a") and not pcall(string.gsub,"a","a","%2") and not pcall(string.match,"a","(a"))
                assert(select("#", ("x"):gsub("y","z"))==2 and ("%a"):format(1.0) and not pcall(string.format,"%y",1) and not pcall(string.format,"%d"))
                local co=coroutine.wrap(function(a) local b=coroutine.yield(a+1) error("boom") end) assert(co(1)==2) local ok,e=pcall(co,1) assert(not ok and e:find("boom"))
                assert(select(2,xpcall(function() error("x",0) end,function(m) return m.."!" end))=="x!" and select("#",pcall(error))==2)
                local s=setmetatable({},{__len=function() return 1<<60 end}) assert(not pcall(table.insert,s,1))
                assert(utf8.char(228)=="ä" and utf8.len("äö")==2)
                local cls={} cls.__index=cls local o=setmetatable({},cls) table.insert(o,1) assert(#o==1)
                """#
            ) == nil
        )
    }
}
