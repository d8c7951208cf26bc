# frozen_string_literal: true

require_relative 'helper'

class ClientTest < MusterTest
  def client(*servers, **more)
    PuppetX::Muster::Client.new(settings(*servers, **more), 'web1')
  end

  def search(*servers, **more)
    client(*servers, **more).search({ 'q' => 'x' })
  end

  def test_asks_in_one_get_and_says_for_whom
    s = server { [200, { 'ETag' => '"a"' }, found('db1')] }
    entry = search(s)
    assert_equal ['db1'], entry['nodes']
    assert_equal ['"a"', s.url], [entry['etag'], entry['server']]
    request = s.requests.pop
    assert_equal ['GET', '/v1/search', { 'q' => 'x' }], [request[:method], request[:path], request[:ask]]
    assert_equal 'web1', request[:head]['muster-requested-by']
    assert_nil request[:head]['if-none-match']
  end

  def test_a_long_question_has_a_body
    s = server { [200, {}, found] }
    client(s).search({ 'q' => 'x' * 5000 })
    request = s.requests.pop
    assert_equal ['POST', { 'q' => 'x' * 5000 }], [request[:method], request[:ask]]
  end

  def test_what_is_no_answer_goes_on_with_the_next_server
    whole = JSON.generate(found('half'))
    {
      'down' => nil,
      'HTTP 500' => ->(_) { [500, {}, {}] },
      'HTTP 503' => ->(_) { [503, {}, { 'error' => { 'message' => 'loading' } }] },
      'HTTP 429' => ->(_) { [429, {}, { 'error' => { 'message' => 'too many' } }] },
      'HTTP 302' => ->(_) { [302, { 'Location' => '/x' }, {}] },
      'no answer within 2 seconds' => ->(_) { sleep 60 },
      'half an answer: 10 of' => ->(_) { "HTTP/1.1 200 x\r\nContent-Length: #{whole.bytesize}\r\n\r\n#{whole[0, 10]}" },
      'not JSON' => ->(_) { "HTTP/1.1 200 x\r\nConnection: close\r\n\r\n#{whole[0, 10]}" },
      'end of file' => ->(_) { "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n#{whole.bytesize.to_s(16)}\r\n#{whole[0, 10]}" },
      'holds 1' => ->(_) { [200, {}, found('a').merge('count' => 2)] },
      'not complete' => ->(_) { [200, {}, found('a').merge('complete' => false)] },
      'no list' => ->(_) { [200, {}, { 'error' => {} }] },
      'no object' => ->(_) { [200, {}, []] },
      'HTTP 304' => ->(_) { [304, {}, ''] },
      'wrong status line' => ->(_) { "nonsense\r\n\r\n" }
    }.each do |says, answer|
      bad = answer ? server(&answer) : 'http://127.0.0.1:1'
      good = server { [200, {}, found('db1')] }
      patience = says.start_with?('no answer') ? 2 : 10
      e = assert_raises(PuppetX::Muster::Unavailable, says) { search(bad, timeout: patience) }
      assert_includes e.message, says == 'down' ? 'refused' : says
      assert_equal ['db1'], search(bad, good, timeout: patience)['nodes'], says
    end
  end

  def test_a_refusal_is_final
    { 400 => 'the query was refused: column 3', 413 => 'the query was refused', 401 => 'HTTP 401: column 3', 403 => 'HTTP 403', 404 => 'HTTP 404',
      405 => 'HTTP 405' }.each do |status, says|
      bad = server { [status, {}, { 'error' => { 'code' => 'x', 'message' => 'column 3' } }] }
      good = server { [200, {}, found('db1')] }
      e = assert_raises(PuppetX::Muster::Refused) { search(bad, good) }
      assert_includes e.message, says
      assert_equal 0, good.asked
    end
  end

  def test_pages_are_put_together
    s = server do |r|
      case r[:ask]['cursor']
      when nil then [200, { 'ETag' => '"1"' }, found({ 'identity' => 'a' }).merge('complete' => false, 'cursor' => 'c', 'oldest' => '2026-01-02T00:00:00Z')]
      when 'c' then [200, { 'ETag' => '"2"' }, found({ 'identity' => 'b' }).merge('oldest' => '2026-01-01T00:00:00Z')]
      end
    end
    entry = search(s)
    assert_equal %w[a b], entry['nodes'].map { |n| n['identity'] }
    assert_equal '2026-01-01T00:00:00Z', entry['oldest']
    assert_nil entry['etag'], 'an ETag is of one page'
  end

  def test_half_of_the_pages_is_no_answer
    s = server { |r| r[:ask]['cursor'] ? [503, {}, {}] : [200, {}, found('a').merge('complete' => false, 'cursor' => 'c')] }
    assert_raises(PuppetX::Muster::Unavailable) { search(s) }
    empty = server { [200, {}, found.merge('complete' => false, 'cursor' => 'c')] }
    assert_raises(PuppetX::Muster::Unavailable) { search(empty) }
  end

  def test_an_etag_goes_only_to_the_server_that_gave_it
    one = server { |r| r[:head]['if-none-match'] == '"a"' ? [304, {}, ''] : [200, { 'ETag' => '"a"' }, found('db1')] }
    two = server { [200, { 'ETag' => '"a"' }, found('db2')] }
    known = search(one)
    assert_same known, client(one).search({ 'q' => 'x' }, known)
    assert_equal ['db2'], client(two).search({ 'q' => 'x' }, known)['nodes']
    assert_nil two.requests.pop[:head]['if-none-match']
  end

  def test_a_node_that_is_not_there_is_told_from_a_route_that_is_not_there
    gone = server { [404, {}, { 'error' => { 'code' => 'not_found', 'message' => 'no node is called "x"' } }] }
    assert_raises(PuppetX::Muster::Unknown) { client(gone).get('/v1/nodes/x') }
    wrong = server { [404, {}, { 'error' => { 'code' => 'not_found', 'message' => 'there is no such route' } }] }
    assert_raises(PuppetX::Muster::Refused) { client(wrong).get('/v1/nodes/x') }
    other = server { [404, { 'Content-Type' => 'text/html' }, '<html>'] }
    assert_raises(PuppetX::Muster::Unavailable) { client(other).get('/v1/nodes/x') }
  end

  def test_a_token_travels_only_where_it_is_kept
    file = File.join(@dir, 'token')
    File.write(file, "secret\n")
    s = server { [200, {}, found] }
    search(s, token_file: file)
    assert_equal 'Bearer secret', s.requests.pop[:head]['authorization']
    e = assert_raises(PuppetX::Muster::Refused) { search('http://muster.example.net:8280', token_file: file) }
    assert_includes e.message, 'only https'
    refute_includes e.message, 'secret '
  end
end
